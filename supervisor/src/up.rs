//! `berth up`: server, agent and router of this machine as processes of their own, started, watched and started again.
//!
//! The supervisor holds nothing that matters: killed, it leaves everything running, and the next one adopts what agrees
//! with it in program and configuration, and replaces the rest.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use config::{Config, Flags};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::keeper::{Keeper, Seen};
use self::summary::Summary;
use crate::clock::Stopwatch;
use crate::control;
use crate::failure::Failure;
use crate::layout::{Layout, Part};
use crate::role::{self, Role};

mod backoff;
mod join;
mod keeper;
pub(crate) mod process;
mod summary;

/// How long everything may take to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// Start server, agent and router on this machine, and keep them running.
#[derive(Debug, Clone, Copy)]
pub struct Up {
    /// Return once everything is ready, and leave it running.
    pub detach: bool,
    /// Started by `--detach`: in a session of its own.
    pub background: bool,
}

/// Runs until it is asked to end; with `--detach` until everything is ready.
pub fn run(up: Up, config: &Config, flags: &Flags) -> Result<(), Failure> {
    if up.detach {
        let summary = Summary::begin(config);
        detach(config, flags)?;
        summary.print(true);
        return Ok(());
    }
    if up.background {
        rustix::process::setsid().ok();
    }
    let role = Role::enter(Part::Up, config)?;
    std::fs::remove_file(crate::down::marker(role.layout())).ok();
    role.run(1, async |role| supervise(role, config, flags).await)
}

/// Starts `berth up` in the background and waits until it is ready.
pub(crate) fn detach(config: &Config, flags: &Flags) -> Result<(), Failure> {
    let layout = Layout::new(&config.data_dir);
    layout.create()?;
    if control::status(&layout, Part::Up).is_some_and(|up| up.ready) {
        return Err(role::taken(&layout, Part::Up));
    }
    std::fs::remove_file(layout.run_file(Part::Up, "failure")).ok();
    let log = process::log_file(&layout, Part::Up)?;
    let mut command = std::process::Command::new(process::program());
    command.args(["up", "--background"]).args(process::arguments(config, flags));
    command.stdin(Stdio::null()).stderr(log.try_clone().map_err(Failure::part("no log"))?);
    let mut child =
        command.stdout(log).spawn().map_err(Failure::part("cannot start `berth up`"))?;
    let watch = Stopwatch::default();
    loop {
        if control::status(&layout, Part::Up).is_some_and(|up| up.ready) {
            return Ok(());
        }
        if let Ok(Some(how)) = child.try_wait() {
            let why = process::failure(&layout, Part::Up);
            return Err(Failure::Said(why.unwrap_or_else(|| format!("`berth up` ended: {how}"))));
        }
        if watch.whole() > PATIENCE {
            let log = layout.log(Part::Up);
            let text = format!("`berth up` is not ready yet; it goes on, see `{}`", log.display());
            return Err(Failure::Late(text));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What every keeper knows.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    /// The command line that every role gets.
    pub(crate) arguments: Vec<String>,
    pub(crate) program: PathBuf,
}

async fn supervise(up: &Role, config: &Config, flags: &Flags) -> Result<(), Failure> {
    let mut watch = Stopwatch::default();
    let summary = Summary::begin(config);
    terminal::note(&format!(
        "starting server, agent and router on `{}`",
        config.data_dir.display()
    ));
    let plan = Arc::new(Plan {
        config: config.clone(),
        layout: up.layout().clone(),
        arguments: process::arguments(config, flags),
        program: process::program(),
    });
    let mut crew = Crew::start(&plan);
    let started = tokio::select! {
        started = crew.started(&plan) => started,
        () = up.shutdown.cancelled() => Ok(()),
    };
    if started.is_ok() && !up.shutdown.is_cancelled() {
        summary.print(false);
        terminal::note(&format!("ready after {:.1} s", watch.lap().as_secs_f64()));
        up.ready.send_replace(true);
        up.shutdown.cancelled().await;
        terminal::note("ending router, agent and server; containers go on");
    }
    crew.end().await;
    started
}

/// The keepers of all roles.
struct Crew {
    members: Vec<Member>,
}

struct Member {
    part: Part,
    seen: watch::Receiver<Seen>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Crew {
    fn start(plan: &Arc<Plan>) -> Self {
        let server = watch::Sender::new(Seen::default());
        let server_seen = server.subscribe();
        let members = Part::ROLES.map(|part| {
            let seen = match part {
                Part::Server => server.clone(),
                Part::Agent | Part::Router | Part::Up => watch::Sender::new(Seen::default()),
            };
            let stop = CancellationToken::new();
            let watch = seen.subscribe();
            let keeper = Keeper::new(part, Arc::clone(plan), seen, server_seen.clone());
            let task = tokio::spawn(keeper.run(stop.clone()));
            Member { part, seen: watch, stop, task }
        });
        Self { members: members.into() }
    }

    /// Returns when server and router are ready, and the agent is or has said why not. A server or router that cannot
    /// run at all is told at once; later ones are only started again.
    async fn started(&mut self, plan: &Plan) -> Result<(), Failure> {
        let all = async {
            for member in &mut self.members {
                let settled = member.seen.wait_for(|seen| seen.ready || seen.said.is_some()).await;
                let said = settled.ok().and_then(|seen| seen.said.clone());
                match (said, member.part) {
                    (Some(said), Part::Server | Part::Router | Part::Up) => {
                        return Err(Failure::Said(format!("{} cannot run: {said}", member.part)));
                    }
                    (Some(_), Part::Agent) | (None, _) => {}
                }
            }
            Ok(())
        };
        let waited = tokio::time::timeout(PATIENCE, all).await;
        waited.unwrap_or_else(|_late| {
            let logs = plan.layout.logs();
            Err(Failure::Late(format!("Berth is not ready; see the logs in `{}`", logs.display())))
        })
    }

    /// Ends the peers first, so that the server hears of it.
    async fn end(self) {
        let (server, peers): (Vec<_>, Vec<_>) =
            self.members.into_iter().partition(|member| member.part == Part::Server);
        for group in [peers, server] {
            for member in &group {
                member.stop.cancel();
            }
            for member in group {
                member.task.await.ok();
            }
        }
    }
}

/// Whether a running role is one that this program would start: the same program with the same configuration.
pub(crate) fn agrees(part: Part, config: &Config, status: &control::Status) -> bool {
    status.version == role::VERSION
        && status.configuration == role::configuration(part, config)
        && process::is_this_program(status.pid)
}
