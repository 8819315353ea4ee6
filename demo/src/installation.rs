//! The demo's own installation: `berth up` on temporary data and free ports, and the `berth` command against it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};

use crate::error::{DemoError, step_error};
use crate::wait::until;

/// How long `berth down` may take before the demo gives up on it.
const DOWN: Duration = Duration::from_secs(90);

/// A running `berth up`.
#[derive(Debug)]
pub(crate) struct Installation {
    program: PathBuf,
    data: PathBuf,
    up: Child,
    endpoints: Value,
}

impl Installation {
    /// Starts it, and returns when it is ready.
    pub(crate) async fn start(home: &Path) -> Result<Self, DemoError> {
        let program = std::env::current_exe().map_err(step_error)?;
        let data = home.join("data");
        let log = std::fs::File::create(home.join("up.log")).map_err(step_error)?;
        let mut up = Command::new(&program);
        up.arg("up").env("BERTH_DATA_DIR", &data);
        for role in ["REGISTRY", "ROUTER", "ADMIN", "LINK"] {
            up.env(format!("BERTH_{role}_LISTEN"), "127.0.0.1:0");
        }
        up.stdin(Stdio::null()).stdout(log.try_clone().map_err(step_error)?).stderr(log);
        let up = up.spawn().map_err(step_error)?;
        let mut berth = Self { program, data, up, endpoints: Value::Null };
        let ready = berth.ready().await;
        if ready.is_err() {
            let log = std::fs::read_to_string(home.join("up.log")).unwrap_or_default();
            berth.up.start_kill().ok();
            return Err(step_error(format!("`berth up` did not become ready:\n{}", log.trim())));
        }
        berth.endpoints = berth.read_endpoints()?;
        Ok(berth)
    }

    fn read_endpoints(&self) -> Result<Value, DemoError> {
        let text = std::fs::read_to_string(self.data.join("run/endpoints.json"));
        serde_json::from_str(&text.map_err(step_error)?).map_err(step_error)
    }

    /// Waits until registry and router accept and the instance is there.
    pub(crate) async fn ready(&self) -> Result<(), DemoError> {
        until("berth is ready", || async {
            let endpoints = self.read_endpoints()?;
            let url = format!("http://{}/readyz", endpoint(&endpoints, "admin"));
            let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
            let answer = client.map_err(step_error)?.get(url).send().await.map_err(step_error)?;
            Ok(answer.status().is_success())
        })
        .await
    }

    /// `host:port` of the registry.
    pub(crate) fn registry(&self) -> &str {
        endpoint(&self.endpoints, "registry")
    }

    /// Where the router answers.
    pub(crate) fn router_url(&self) -> String {
        format!("http://{}/", endpoint(&self.endpoints, "router"))
    }

    /// Where the admin API answers.
    pub(crate) fn admin_url(&self) -> String {
        format!("http://{}", endpoint(&self.endpoints, "admin"))
    }

    /// The URL of a service, for a browser.
    pub(crate) fn service_url(&self, service: &str) -> String {
        let port = endpoint(&self.endpoints, "router").rsplit(':').next().unwrap_or_default();
        format!("http://{service}.localhost:{port}")
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> Result<String, DemoError> {
        let token = std::fs::read_to_string(self.data.join("admin.token")).map_err(step_error)?;
        Ok(token.trim().to_owned())
    }

    /// What `berth ARGUMENTS` prints.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Result<String, DemoError> {
        let output = Command::new(&self.program)
            .args(arguments)
            .env("BERTH_DATA_DIR", &self.data)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(step_error)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(step_error(format!("`berth {}` failed: {message}", arguments.join(" "))))
    }

    async fn json(&self, arguments: &[&str]) -> Result<Value, DemoError> {
        let mut arguments = arguments.to_vec();
        arguments.extend(["-o", "json"]);
        serde_json::from_str(&self.command(&arguments).await?).map_err(step_error)
    }

    /// A service as `berth service show` tells it.
    pub(crate) async fn service(&self, name: &str) -> Result<Value, DemoError> {
        self.json(&["service", "show", name]).await
    }

    /// Docker's ids of the containers of the service's running tasks.
    pub(crate) async fn running_containers(&self, service: &str) -> Result<Vec<String>, DemoError> {
        let tasks = self.json(&["task", "ls", "--service", service]).await?;
        let tasks = tasks["items"].as_array().cloned().unwrap_or_default();
        let running = tasks.iter().filter(|task| task["lastStatus"] == "RUNNING");
        let containers =
            running.flat_map(|task| task["containers"].as_array().into_iter().flatten());
        Ok(containers
            .filter_map(|container| container["runtimeId"].as_str().map(ToOwned::to_owned))
            .collect())
    }

    /// The installation's id: in the labels of all its containers.
    pub(crate) async fn installation(&self) -> Result<String, DemoError> {
        let status = self.json(&["status"]).await?;
        let id = status["installation"].as_str();
        id.map(ToOwned::to_owned).ok_or_else(|| step_error("the status names no installation"))
    }

    /// Kills the server with SIGKILL and waits until its supervisor has started another.
    pub(crate) async fn kill_server(&self) -> Result<(), DemoError> {
        let pid = self.server_pid()?;
        let victim = rustix::process::Pid::from_raw(pid).ok_or_else(|| step_error("no pid"))?;
        rustix::process::kill_process(victim, rustix::process::Signal::KILL).map_err(step_error)?;
        until("the server is started again", || async { Ok(self.server_pid()? != pid) }).await
    }

    fn server_pid(&self) -> Result<i32, DemoError> {
        let text = std::fs::read_to_string(self.data.join("run/server.pid")).map_err(step_error)?;
        text.trim().parse().map_err(step_error)
    }

    /// Stops tasks and roles, and waits until `berth up` has ended.
    pub(crate) async fn down(&mut self) -> Result<(), DemoError> {
        self.command(&["down"]).await?;
        let ended = tokio::time::timeout(DOWN, self.up.wait()).await;
        let ended = ended.map_err(|_late| step_error("`berth up` goes on after `berth down`"))?;
        ended.map_err(step_error)?;
        Ok(())
    }
}

fn endpoint<'a>(endpoints: &'a Value, name: &str) -> &'a str {
    endpoints[name].as_str().unwrap_or_default()
}
