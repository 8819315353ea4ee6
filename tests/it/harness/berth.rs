//! Real installations for tests: `berth up` with data, ports and a Docker configuration of its own, the `berth` and
//! `docker` commands against it, and requests through its router. Whatever a test leaves, even by a panic, is taken away.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use api::{Deployment, Page, RunTaskResponse, Service, Status, Task};
use model::RolloutState;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::process::{Paused, kill, signal};
use super::said::Said;
use super::wait::until;
use super::{containers, http};

/// What a role says of itself on its control socket.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Control {
    pub(crate) pid: i32,
    pub(crate) ready: bool,
}

/// An installation under test.
#[derive(Debug)]
pub(crate) struct Berth {
    home: TempDir,
    up: Option<Child>,
    settings: Vec<(String, String)>,
}

impl Berth {
    /// `berth up` on an empty data directory and free ports; returns when it is ready.
    pub(crate) fn up() -> Self {
        Self::up_with(&[])
    }

    /// The same with more settings in its environment.
    pub(crate) fn up_with(settings: &[(&str, &str)]) -> Self {
        let mut berth = Self::idle(settings);
        berth.start();
        berth
    }

    /// An installation that is not started yet.
    pub(crate) fn idle(settings: &[(&str, &str)]) -> Self {
        let home = tempfile::Builder::new().prefix("berth-it-").tempdir().expect("a directory");
        let mut all: Vec<(String, String)> = ["REGISTRY", "ROUTER", "ADMIN", "LINK"]
            .map(|role| (format!("BERTH_{role}_LISTEN"), "127.0.0.1:0".to_owned()))
            .to_vec();
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        Self { home, up: None, settings: all }
    }

    /// Starts `berth up` and waits until it is ready.
    pub(crate) fn start(&mut self) {
        self.start_by(self.berth(&["up"]));
    }

    /// Starts `berth up` with a listening socket and a place to tell what to keep, as systemd does
    /// (`sd_listen_fds`(3), `sd_notify`(3)), and waits until it is ready.
    pub(crate) fn start_as_unit(&mut self, listener: Option<OwnedFd>, notify: &Path) {
        let mut command = Command::new("bash");
        command.args(["-c", r#"[ -n "$LISTEN_FDS" ] && exec 3<&0; LISTEN_PID=$$ exec "$0" up"#]);
        command.arg(env!("CARGO_BIN_EXE_berth")).env("NOTIFY_SOCKET", notify);
        self.configure(&mut command);
        match listener {
            Some(listener) => command.env("LISTEN_FDS", "1").stdin(listener),
            None => command.env_remove("LISTEN_FDS"),
        };
        self.start_by(command);
    }

    fn start_by(&mut self, mut command: Command) {
        let log = self.home.path().join("up.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let up = command
            .stdout(log.try_clone().expect("a second handle of the log"))
            .stderr(log)
            .spawn()
            .expect("the berth binary starts");
        self.up = Some(up);
        until("berth is ready", || self.is_ready());
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.data().join("run/endpoints.json").exists()
            && http::get(&format!("{}/readyz", self.admin()))
                .is_ok_and(|answer| answer.status == 200)
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A directory of the test's own.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    fn berth(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(arguments);
        self.configure(&mut command);
        command
    }

    fn configure(&self, command: &mut Command) {
        command.env("BERTH_DATA_DIR", self.data()).stdin(Stdio::null());
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.env_remove("BERTH_URL").env_remove("BERTH_TOKEN");
    }

    /// Runs `berth ARGUMENTS`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&self.berth(arguments).output().expect("the berth binary starts"))
    }

    /// Runs `berth ARGUMENTS` with more settings in its environment.
    pub(crate) fn run_with(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Said {
        let mut command = self.berth(arguments);
        command.envs(settings.iter().copied());
        Said::of(&command.output().expect("the berth binary starts"))
    }

    /// Starts `berth ARGUMENTS` and does not wait for its end.
    pub(crate) fn spawn(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Child {
        let mut command = self.berth(arguments);
        command.envs(settings.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the berth binary starts")
    }

    /// What `berth ARGUMENTS -o json` prints.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> T {
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        let text = self.run(&arguments).ok();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// What `berth ARGUMENTS -o json` lists.
    #[track_caller]
    pub(crate) fn list<T: DeserializeOwned>(&self, arguments: &[&str]) -> Vec<T> {
        self.json::<Page<T>>(arguments).items
    }

    fn endpoint(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.data().join("run/endpoints.json"));
        let endpoints: BTreeMap<String, Option<String>> =
            text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        endpoints.get(name).cloned().flatten().unwrap_or_default()
    }

    /// `host:port` of the registry.
    pub(crate) fn registry(&self) -> String {
        self.endpoint("registry")
    }

    /// `http://host:port` of the router.
    pub(crate) fn router(&self) -> String {
        format!("http://{}", self.endpoint("router"))
    }

    /// `http://host:port` of the admin API.
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.endpoint("admin"))
    }

    /// `host:port` of the link.
    pub(crate) fn link(&self) -> String {
        self.endpoint("link")
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> String {
        let token = std::fs::read_to_string(self.data().join("admin.token")).expect("a token");
        token.trim().to_owned()
    }

    /// The installation's id: in the labels of all its containers.
    pub(crate) fn installation(&self) -> String {
        let status: Status = self.json(&["status"]);
        status.installation.expect("the status names the installation").to_string()
    }

    /// The installation whose containers these are, while no server answers.
    pub(crate) fn installation_of(containers: &[String]) -> String {
        containers::label(&containers[0], "berth.installation")
    }

    /// Ends roles that nobody supervises any more, without the API.
    pub(crate) fn give_up(&mut self) {
        self.run(&["down"]);
    }

    /// The process id of a role.
    pub(crate) fn pid(&self, role: &str) -> Option<i32> {
        let text = std::fs::read_to_string(self.data().join(format!("run/{role}.pid"))).ok()?;
        text.trim().parse().ok()
    }

    /// What a role says of itself; None when nobody answers.
    pub(crate) fn control(&self, role: &str) -> Option<Control> {
        let mut socket = UnixStream::connect(self.data().join(format!("run/{role}.sock"))).ok()?;
        socket.write_all(b"status\n").ok()?;
        serde_json::from_reader(socket).ok()
    }

    /// Stops a role in its tracks.
    pub(crate) fn pause(&self, role: &str) -> Paused {
        let pid = self.pid(role).expect("the role runs");
        Paused::new(pid)
    }

    /// Kills a role with SIGKILL and waits until another process has taken its place.
    pub(crate) fn kill(&self, role: &str) {
        let pid = self.pid(role).expect("the role runs");
        kill(pid);
        until(&format!("the {role} is started again"), || {
            self.pid(role).is_some_and(|new| new != pid)
        });
    }

    /// Kills `berth up` itself with SIGKILL; its roles go on.
    pub(crate) fn kill_up(&mut self) {
        let mut up = self.up.take().expect("up runs");
        up.kill().expect("our own child can be killed");
        up.wait().expect("our own child ends");
    }

    /// Sends a signal to `berth up`.
    pub(crate) fn signal_up(&self, which: rustix::process::Signal) {
        let up = self.up.as_ref().expect("up runs").id();
        signal(i32::try_from(up).expect("pids are small"), which);
    }

    /// All that `berth up` has said so far.
    pub(crate) fn said_by_up(&self) -> String {
        std::fs::read_to_string(self.home.path().join("up.log")).expect("a log")
    }

    /// Ends `berth up` with SIGTERM: roles end, containers stay.
    pub(crate) fn stop_up(&mut self) {
        let mut up = self.up.take().expect("up runs");
        let pid = i32::try_from(up.id()).expect("pids are small");
        signal(pid, rustix::process::Signal::TERM);
        assert!(up.wait().expect("our own child ends").success());
    }

    /// Waits for `berth up`, which `berth down` has ended.
    pub(crate) fn up_has_ended(&mut self) {
        if let Some(mut up) = self.up.take() {
            up.wait().expect("our own child ends");
        }
    }

    /// A service as `berth service show` tells it.
    #[track_caller]
    pub(crate) fn service(&self, name: &str) -> Service {
        self.json(&["service", "show", name])
    }

    /// The deployment of a service that counts.
    #[track_caller]
    pub(crate) fn primary(&self, service: &str) -> Deployment {
        self.service(service).primary().expect("a service has a deployment").clone()
    }

    /// Registers a task definition.
    #[track_caller]
    pub(crate) fn register(&self, definition: &serde_json::Value) {
        let file = self.home().join("definition.json");
        disk::write(&file, definition.to_string().as_bytes(), 0o600).expect("written");
        self.run(&["task-definition", "register", &file.display().to_string()]).ok();
    }

    /// Runs a task of a definition; gives its id.
    #[track_caller]
    pub(crate) fn run_task(&self, definition: &str) -> String {
        let answer: RunTaskResponse = self.json(&["task", "run", definition]);
        answer.tasks[0].task_id.to_string()
    }

    /// A task as `berth task show` tells it.
    #[track_caller]
    pub(crate) fn task(&self, id: &str) -> Task {
        self.json(&["task", "show", id])
    }

    /// The tasks of a service that should run.
    #[track_caller]
    pub(crate) fn tasks(&self, service: &str) -> Vec<Task> {
        self.list(&["task", "ls", "--service", service])
    }

    /// The tasks of a service that have stopped.
    #[track_caller]
    pub(crate) fn stopped_tasks(&self, service: &str) -> Vec<Task> {
        self.list(&["task", "ls", "--service", service, "--stopped"])
    }

    /// Waits until the deployment that counts is complete and as many tasks run as should.
    #[track_caller]
    pub(crate) fn settles(&self, service: &str) {
        until(&format!("service {service} settles"), || {
            let said = self.run(&["service", "show", service, "-o", "json"]);
            let Ok(service) = serde_json::from_str::<Service>(&said.stdout) else { return false };
            let live = service.primary().is_some_and(|primary| {
                primary.rollout_state == RolloutState::Completed || primary.bakes_until().is_some()
            });
            live && service.running_count == service.desired_count && service.pending_count == 0
        });
    }

    /// `berth down`: tasks and roles are gone afterwards.
    pub(crate) fn down(mut self) {
        let installation = self.installation();
        self.run(&["down"]).ok();
        if let Some(mut up) = self.up.take() {
            up.wait().expect("our own child ends");
        }
        assert_eq!(containers::containers(&installation, true), Vec::<String>::new());
    }
}

impl Drop for Berth {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        if self.data().join("run/endpoints.json").exists() {
            let status = self.run(&["status", "-o", "json"]).stdout;
            let status = serde_json::from_str::<Status>(&status).ok();
            self.run(&["down"]);
            if let Some(installation) = status.and_then(|status| status.installation) {
                containers::remove_all(&installation.to_string());
            }
        }
        if let Some(up) = &mut self.up {
            // Roles may have ended with `down` already; whatever is left ends here.
            up.kill().ok();
            up.wait().ok();
        }
        for role in ["server", "agent", "router"] {
            if let Some(pid) = self.pid(role)
                && std::fs::read_link(format!("/proc/{pid}/exe"))
                    .is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_berth")))
            {
                kill(pid);
            }
        }
    }
}

impl Berth {
    #[expect(clippy::print_stderr, reason = "shown by the test runner when a test fails")]
    fn show_logs(&self) {
        eprintln!("--- up\n{}", tail(&self.home.path().join("up.log")));
        for role in ["server", "agent", "router"] {
            eprintln!("--- {role}\n{}", tail(&self.data().join(format!("log/{role}.log"))));
        }
    }
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
