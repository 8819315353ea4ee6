//! What every role has in common: at most one process of it per data directory, a control socket, an end that is asked for
//! and orderly.
//!
//! A role runs on its own runtime. SIGTERM, SIGINT and the control socket all lead to the same shutdown; why it failed is
//! left in a file for whoever started it.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use config::Config;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::control_socket::{self, Control, Status};
use crate::endpoints::Endpoints;
use crate::error::{RoleError, Step};
use crate::failure::RoleFailure;
use crate::layout::Layout;
use crate::listen;
use crate::listeners::Listeners;
use crate::role_kind::RoleKind;
use crate::succession::Succession;
use crate::systemd;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Threads of a role's runtime at most: none of them computes for long.
const MOST_THREADS: usize = 8;
/// How long a process that is asked to end may take: longer than a router lets requests end.
pub(crate) const END: Duration = Duration::from_secs(20);
/// How often it is looked whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How long what is still running may take to end after shutdown.
const LAST_MOMENT: Duration = Duration::from_secs(2);

/// A role of this process.
#[derive(Debug)]
pub struct Role {
    kind: RoleKind,
    layout: Layout,
    configuration: String,
    /// The server that it dials, for an agent or router.
    pub server: Option<String>,
    /// Ends it.
    pub shutdown: CancellationToken,
    /// Whether it does its work.
    pub ready: watch::Sender<bool>,
    /// What it listens on and passes on to another process; closed when it is asked to end or relieved.
    pub listeners: Listeners,
    /// How this process stands to the ones before and after it.
    pub succession: Succession,
    /// The connection to the process that it has relieved.
    before: Option<UnixStream>,
}

impl Role {
    /// Takes the role's place in the data directory; refused while another process has it.
    pub fn enter(kind: RoleKind, config: &Config) -> Result<Self, RoleError> {
        let role = Self::beside(kind, config)?;
        let lock = role.try_lock()?.ok_or_else(|| already_runs(&role.layout, kind))?;
        role.take_place(lock)?;
        Ok(role)
    }

    /// Beside the process that has the role, until that is relieved.
    pub fn beside(kind: RoleKind, config: &Config) -> Result<Self, RoleError> {
        let layout = Layout::new(&config.data_dir);
        layout.create()?;
        if kind != RoleKind::Supervisor {
            let dir = layout.dir(kind);
            disk::create_dir(&dir, 0o700).map_err(RoleError::file(&dir))?;
        }
        Ok(Self {
            kind,
            layout,
            configuration: configuration(kind, config),
            server: None,
            shutdown: CancellationToken::new(),
            ready: watch::Sender::new(false),
            listeners: Listeners::default(),
            succession: Succession::default(),
            before: None,
        })
    }

    /// Takes over from the process that has the role. That goes on with what is in flight; one that cannot hand over is
    /// asked to end.
    pub fn relieve(&mut self) -> Result<(), RoleError> {
        match control_socket::relieve(&self.layout, self.kind) {
            Ok(before) => self.before = Some(before),
            Err(error) => {
                tracing::warn!(%error, "the process that has the role hands nothing over");
                control_socket::stop(&self.layout, self.kind).ok();
            }
        }
        let watch = Stopwatch::default();
        let lock = loop {
            match self.try_lock()? {
                Some(lock) => break lock,
                None if watch.whole() > END => return Err(already_runs(&self.layout, self.kind)),
                None => std::thread::sleep(LOOK_AGAIN),
            }
        };
        self.take_place(lock)
    }

    fn try_lock(&self) -> Result<Option<disk::Lock>, RoleError> {
        let path = self.lock();
        disk::Lock::acquire(&path).map_err(RoleError::file(&path))
    }

    fn take_place(&self, lock: disk::Lock) -> Result<(), RoleError> {
        self.succession.hold(lock);
        RoleFailure::remove(&self.layout.failure(self.kind)).ok();
        let pid = self.layout.run_file(self.kind, "pid");
        let text = std::process::id().to_string();
        if let Err(error) = disk::write(&pid, text.as_bytes(), 0o600) {
            // No room on the disk: better none than one of a process that is gone. The control socket says it too.
            tracing::warn!(%error, "cannot write `{}`", pid.display());
            match std::fs::remove_file(&pid) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(RoleError::file(&pid)(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// The data directory.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The role's own directory.
    pub fn dir(&self) -> PathBuf {
        self.layout.dir(self.kind)
    }

    /// The file that the role's process holds locked.
    pub fn lock(&self) -> PathBuf {
        self.layout.run_file(self.kind, "lock")
    }

    /// The listener of a setting, which outlives this process where a supervisor keeps it; else one of its own.
    pub fn listener(
        &self,
        key: &'static str,
        address: SocketAddr,
        last: impl FnOnce(&Endpoints) -> Option<SocketAddr>,
    ) -> Result<TcpListener, RoleError> {
        let kept = control_socket::take_over(&self.layout, RoleKind::Supervisor, &self.listeners);
        if let Err(error) = kept {
            tracing::debug!(%error, "no supervisor keeps what this role listens on");
        }
        self.listeners.keep_only(&[address]);
        if let Some(kept) = self.listeners.get(address) {
            return Ok(kept);
        }
        let listener = listen::bind(key, address, last(&Endpoints::read(&self.layout)))?;
        systemd::store(&listener);
        if let Ok(ours) = listener.try_clone() {
            self.listeners.keep(address, ours);
        }
        Ok(listener)
    }

    /// Runs the role's work until it ends, by itself, after a shutdown or relieved.
    pub fn run(
        mut self,
        threads: usize,
        work: impl AsyncFnOnce(&Self) -> Result<(), RoleError>,
    ) -> Result<(), RoleError> {
        let runtime = runtime(threads)?;
        let before = self.before.take();
        let outcome = runtime.block_on(async {
            let listener = control_socket::listen(&self.layout, self.kind)?;
            let control = tokio::spawn(control_socket::serve(listener, self.control()));
            let signals = tokio::spawn(end_on_signals(self.shutdown.clone()));
            let (succession, shutdown) = (self.succession.clone(), self.shutdown.clone());
            let relieved = succession.relieved.clone();
            let closing = close(self.listeners.clone(), shutdown.clone(), relieved);
            let closing = tokio::spawn(closing);
            tokio::spawn(async move { succession.follow(before, &shutdown).await });
            tracing::info!(pid = std::process::id(), "berth {} {VERSION} starts", self.kind);
            let outcome = work(&self).await;
            self.shutdown.cancel();
            control.await.ok();
            signals.await.ok();
            closing.await.ok();
            outcome
        });
        runtime.shutdown_timeout(LAST_MOMENT);
        self.leave();
        outcome
    }

    fn control(&self) -> Control {
        Control {
            status: self.status(),
            ready: self.ready.subscribe(),
            listeners: self.listeners.clone(),
            succession: (self.kind == RoleKind::Router).then(|| self.succession.clone()),
            shutdown: self.shutdown.clone(),
        }
    }

    fn status(&self) -> Status {
        Status {
            pid: std::process::id().cast_signed(),
            version: VERSION.to_owned(),
            configuration: self.configuration.clone(),
            ready: false,
            relieved: false,
            server: self.server.clone(),
        }
    }

    /// Leaves nothing that looks like a running process; what lies there is the next one's where this one was relieved.
    fn leave(&self) {
        tracing::info!("berth {} has ended", self.kind);
        if self.succession.relieved.is_cancelled() {
            return;
        }
        for extension in ["sock", "pid"] {
            std::fs::remove_file(self.layout.run_file(self.kind, extension)).ok();
        }
    }
}

/// Another process has this role in the data directory.
pub(crate) fn already_runs(layout: &Layout, role: RoleKind) -> RoleError {
    let data_dir = layout.root().to_owned();
    RoleError::AlreadyRuns { role, data_dir, pid: pid(layout, role) }
}

/// How many threads a role's runtime has on this host.
pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(MOST_THREADS)
}

/// Leaves why a role failed, wherever it did, for whoever started it.
pub fn leave_failure(
    role: RoleKind,
    config: &Config,
    outcome: Result<(), RoleError>,
) -> Result<(), RoleError> {
    if let Err(error) = &outcome
        && let Err(error) = error.failure().write(&Layout::new(&config.data_dir).failure(role))
    {
        tracing::warn!(%error, "cannot leave why the {role} failed");
    }
    outcome
}

fn runtime(threads: usize) -> Result<Runtime, RoleError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("berth")
        .enable_all()
        .build()
        .map_err(RoleError::step(Step::StartRuntime))
}

/// Closes what it listens on once it accepts nothing more: a socket that nobody accepts from would take connections and never
/// answer.
async fn close(listeners: Listeners, shutdown: CancellationToken, relieved: CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = relieved.cancelled() => {}
    }
    listeners.keep_only(&[]);
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

/// The process that has, or had, a role.
pub fn pid(layout: &Layout, role: RoleKind) -> Option<i32> {
    let text = std::fs::read_to_string(layout.run_file(role, "pid")).ok()?;
    text.trim().parse().ok().filter(|pid| *pid > 0)
}

/// What a role's behaviour depends on, as a hash: two processes with the same one need not be told apart.
pub fn configuration(role: RoleKind, config: &Config) -> String {
    let sections: &[&str] = match role {
        RoleKind::Server => &["registry", "admin", "link", "lease", "scheduler", "router", "log"],
        RoleKind::Agent => &["agent", "link", "log"],
        RoleKind::Router => &["router", "link", "log"],
        RoleKind::Supervisor => &[],
    };
    let section = |key: &'static str| key.split('.').next().unwrap_or_default();
    let settings = config.shown.iter().filter(|shown| sections.contains(&section(shown.key)));
    let mut lines = vec![format!("{}", config.data_dir.display())];
    lines.push(format!("{:?}", config.agent.docker_host));
    lines.extend(settings.map(|shown| format!("{}={:?}", shown.key, shown.value)));
    let text = lines.join("\n");
    hex::encode(Sha256::digest(text.as_bytes()))
}
