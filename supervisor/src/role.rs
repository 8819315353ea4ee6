//! What every role has in common: at most one process of it per data directory, a control socket, an end that is asked for
//! and orderly.
//!
//! A role runs on its own runtime. SIGTERM, SIGINT and the control socket all lead to the same shutdown; why it failed is
//! left in a file for whoever started it.

use std::path::PathBuf;
use std::time::Duration;

use config::Config;
use model::Digest;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::control::{self, Status};
use crate::failure::Failure;
use crate::layout::{Layout, Part};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Threads of a role's runtime at most: none of them computes for long.
const MOST_THREADS: usize = 8;
/// How long what is still running may take to end after shutdown.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A role of this process.
#[derive(Debug)]
pub struct Role {
    part: Part,
    layout: Layout,
    configuration: String,
    /// The server that it dials, for an agent or router.
    pub server: Option<String>,
    /// Ends it.
    pub shutdown: CancellationToken,
    /// Whether it does its work.
    pub ready: watch::Sender<bool>,
    _lock: disk::Lock,
}

impl Role {
    /// Takes the role's place in the data directory; refused while another process has it.
    pub fn enter(part: Part, config: &Config) -> Result<Self, Failure> {
        let layout = Layout::new(&config.data_dir);
        layout.create()?;
        let lock_path = layout.run_file(part, "lock");
        let lock = disk::Lock::acquire(&lock_path).map_err(Failure::file(&lock_path))?;
        let lock = lock.ok_or_else(|| taken(&layout, part))?;
        if part != Part::Up {
            let dir = layout.dir(part);
            disk::create_dir(&dir, 0o700).map_err(Failure::file(&dir))?;
        }
        let (pid, failure) = (layout.run_file(part, "pid"), layout.run_file(part, "failure"));
        std::fs::remove_file(failure).ok();
        let text = std::process::id().to_string();
        disk::write(&pid, text.as_bytes(), 0o600).map_err(Failure::file(&pid))?;
        Ok(Self {
            part,
            layout,
            configuration: configuration(part, config),
            server: None,
            shutdown: CancellationToken::new(),
            ready: watch::Sender::new(false),
            _lock: lock,
        })
    }

    /// The data directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The role's own directory.
    pub fn dir(&self) -> PathBuf {
        self.layout.dir(self.part)
    }

    /// Runs the role's work until it ends, by itself or after a shutdown.
    pub fn run(
        self,
        threads: usize,
        work: impl AsyncFnOnce(&Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let runtime = runtime(threads)?;
        let outcome = runtime.block_on(async {
            let listener = control::listen(&self.layout, self.part)?;
            let status = self.status();
            let control =
                control::serve(listener, status, self.ready.subscribe(), self.shutdown.clone());
            let control = tokio::spawn(control);
            let signals = tokio::spawn(end_on_signals(self.shutdown.clone()));
            tracing::info!(pid = std::process::id(), "berth {} {VERSION} starts", self.part);
            let outcome = work(&self).await;
            self.shutdown.cancel();
            control.await.ok();
            signals.await.ok();
            outcome
        });
        runtime.shutdown_timeout(LAST_MOMENT);
        self.leave();
        outcome
    }

    fn status(&self) -> Status {
        Status {
            pid: std::process::id().cast_signed(),
            version: VERSION.to_owned(),
            configuration: self.configuration.clone(),
            ready: false,
            server: self.server.clone(),
        }
    }

    /// Leaves nothing that looks like a running process.
    fn leave(&self) {
        tracing::info!("berth {} has ended", self.part);
        for extension in ["sock", "pid"] {
            std::fs::remove_file(self.layout.run_file(self.part, extension)).ok();
        }
    }
}

/// Another process has a part.
pub fn taken(layout: &Layout, part: Part) -> Failure {
    let pid = pid(layout, part).map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    Failure::Taken(format!(
        "`berth {part}` runs already on `{}`{pid}; `berth down` ends it, --data-dir names another directory",
        layout.root().display()
    ))
}

/// How many threads a role's runtime has on this host.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS)
}

/// Writes down why a part failed, wherever it did, for whoever started it.
pub fn tell_failure(
    part: Part,
    config: &Config,
    outcome: Result<(), Failure>,
) -> Result<(), Failure> {
    if let Err(failure) = &outcome {
        let path = Layout::new(&config.data_dir).run_file(part, "failure");
        if let Err(error) = disk::write(&path, failure.sentence().as_bytes(), 0o600) {
            tracing::warn!(%error, "cannot write `{}`", path.display());
        }
    }
    outcome
}

fn runtime(threads: usize) -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("berth")
        .enable_all()
        .build()
        .map_err(Failure::part("cannot start a runtime"))
}

async fn end_on_signals(shutdown: CancellationToken) {
    let signals = signal(SignalKind::terminate())
        .and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
    match signals {
        Ok((mut term, mut interrupt)) => tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
            () = shutdown.cancelled() => return,
        },
        Err(error) => {
            tracing::warn!(%error, "signals end this process at once");
            return;
        }
    }
    tracing::info!("asked to end");
    shutdown.cancel();
}

/// The process that has, or had, a part.
pub fn pid(layout: &Layout, part: Part) -> Option<i32> {
    let text = std::fs::read_to_string(layout.run_file(part, "pid")).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

/// What a part's behaviour depends on, as a hash: two processes with the same one need not be told apart.
pub fn configuration(part: Part, config: &Config) -> String {
    let sections: &[&str] = match part {
        Part::Server => &["registry", "admin", "link", "lease", "scheduler", "router", "log"],
        Part::Agent => &["agent", "link", "log"],
        Part::Router => &["router", "link", "log"],
        Part::Up => &[],
    };
    let section = |key: &'static str| key.split('.').next().unwrap_or_default();
    let settings = config.shown.iter().filter(|shown| sections.contains(&section(shown.key)));
    let mut lines = vec![format!("{}", config.data_dir.display())];
    lines.push(format!("{:?}", config.agent.docker_host));
    lines.extend(settings.map(|shown| format!("{}={:?}", shown.key, shown.value)));
    let text = lines.join("\n");
    Digest::Sha256(Sha256::digest(text.as_bytes()).into()).hex()
}
