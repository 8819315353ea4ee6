//! Why a role, `berth up` or `berth down` gives up. What is decided on is in the variants; `sentences` says them.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use api::Remaining;
use config::{ConfigError, Setting};

use crate::failure::{FailureKind, RoleFailure};
use crate::role_kind::RoleKind;

/// Why it gives up.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// The configuration cannot be used.
    Configuration(ConfigError),
    /// A file or directory cannot be used.
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has this role in the data directory.
    AlreadyRuns {
        /// The role.
        role: RoleKind,
        /// The data directory.
        data_dir: PathBuf,
        /// The process, if it is known.
        pid: Option<i32>,
    },
    /// Another process has the role's lock, and does not end when it is told to.
    DoesNotEnd {
        /// The role.
        role: RoleKind,
        /// The lock.
        lock: PathBuf,
    },
    /// An address cannot be listened on.
    Listen {
        /// The address.
        address: SocketAddr,
        /// Where it is set.
        setting: Option<&'static Setting>,
        /// Why.
        reason: ListenError,
    },
    /// A step of a role or of the supervisor failed.
    Step {
        /// Which one.
        step: Step,
        /// What code decides on.
        kind: FailureKind,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store has failed while the server ran.
    StoreFailed {
        /// What it says.
        reason: String,
    },
    /// The store has no installation in it.
    NoInstallation,
    /// A task of the server has ended, and none does before shutdown: it has panicked.
    ServerTaskEnded,
    /// A process that was to be watched has no number.
    NoProcess {
        /// The role.
        role: RoleKind,
    },
    /// A role cannot run at all.
    CannotRun {
        /// The role.
        role: RoleKind,
        /// What it left.
        failure: RoleFailure,
    },
    /// There is no systemd to install a unit for.
    NoSystemd,
    /// A unit of that name is there that somebody else wrote.
    ForeignUnit {
        /// Its file.
        path: PathBuf,
    },
    /// `berth up` ended in the background before it was ready.
    BackgroundEnded {
        /// What it left.
        failure: Option<RoleFailure>,
        /// Its exit status.
        status: std::process::ExitStatus,
    },
    /// `berth up` is not ready in time in the background; it goes on.
    BackgroundLate {
        /// Its log.
        log: PathBuf,
    },
    /// The roles are not ready in time.
    NotReady {
        /// Where their logs are.
        logs: PathBuf,
    },
    /// Nobody can be asked whether everything that people made of services may go.
    NobodyToAsk,
    /// Tasks are left when `berth down` has waited for as long as it was to.
    TasksLeft {
        /// How long it waited.
        waited: Duration,
        /// What the server said last; None if it did not answer.
        left: Option<Remaining>,
    },
}

/// Why an address cannot be listened on.
#[derive(Debug)]
pub enum ListenError {
    /// Another program does already.
    InUse {
        /// Its name and pid, as far as this user may see them.
        owner: Option<(String, String)>,
    },
    /// The port is for privileged users.
    Privileged,
    /// The host does not have the address.
    NotThisHost,
    /// The system says why.
    Other(std::io::Error),
}

/// What a role or the supervisor does on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Bring back what an earlier `berth down` stopped.
    Resume,
    /// Start a runtime.
    StartRuntime,
    /// Hand a listener to the runtime.
    HandOverListener,
    /// Open the store.
    OpenStore,
    /// Open the certificate authority.
    OpenAuthority,
    /// Open the registry.
    OpenRegistry,
    /// Write what a new installation begins with.
    WriteFirstStart,
    /// Run the agent.
    RunAgent,
    /// Run the router.
    RunRouter,
    /// Start `berth up` in the background.
    StartBackground,
    /// Become the program and configuration that are there now.
    Reload,
    /// Start a role.
    StartRole(RoleKind),
    /// Watch the process of a role.
    WatchRole(RoleKind),
    /// Reach the admin API of this data directory.
    ReachApi,
    /// Make a join token for a role.
    MakeJoinToken(RoleKind),
    /// Have the server stop all tasks.
    StopTasks,
    /// Write a unit of systemd and have it enabled.
    EnableUnit,
}

impl RoleError {
    /// A file or directory that cannot be used.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// A step that failed, for a reason that nothing is decided on.
    pub fn step<E: Into<Box<dyn Error + Send + Sync>>>(step: Step) -> impl FnOnce(E) -> Self {
        Self::step_as(step, FailureKind::Other)
    }

    /// A step that failed, for a reason of this kind.
    pub fn step_as<E: Into<Box<dyn Error + Send + Sync>>>(
        step: Step,
        kind: FailureKind,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Step { step, kind, source: source.into() }
    }

    /// What code decides on.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Configuration(_) => FailureKind::Configuration,
            Self::AlreadyRuns { .. } | Self::DoesNotEnd { .. } => FailureKind::DataDirectoryTaken,
            Self::Listen { reason: ListenError::InUse { .. }, .. } => FailureKind::AddressInUse,
            Self::Step { kind, .. } => *kind,
            Self::StoreFailed { .. } => FailureKind::StoreUnavailable,
            Self::CannotRun { failure, .. }
            | Self::BackgroundEnded { failure: Some(failure), .. } => failure.kind,
            Self::File { .. }
            | Self::Listen { .. }
            | Self::NoInstallation
            | Self::ServerTaskEnded
            | Self::NoProcess { .. }
            | Self::BackgroundEnded { failure: None, .. }
            | Self::BackgroundLate { .. }
            | Self::NotReady { .. }
            | Self::NobodyToAsk
            | Self::NoSystemd
            | Self::ForeignUnit { .. }
            | Self::TasksLeft { .. } => FailureKind::Other,
        }
    }

    /// It as a role leaves it for its supervisor.
    pub fn failure(&self) -> RoleFailure {
        RoleFailure { kind: self.kind(), message: self.sentence() }
    }

    /// The whole chain of causes in one line.
    pub fn sentence(&self) -> String {
        model::chain(self)
    }
}

impl From<ConfigError> for RoleError {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_tells_its_causes_once() {
        let inner = std::io::Error::other("the disk is full");
        let error = RoleError::file(Path::new("/data/admin.token"))(inner);
        assert_eq!(error.sentence(), "cannot use `/data/admin.token`: the disk is full");
    }

    #[test]
    fn an_error_says_what_code_decides_on() {
        let listen = |reason| RoleError::Listen {
            address: SocketAddr::from(([127, 0, 0, 1], 80)),
            setting: None,
            reason,
        };
        assert_eq!(listen(ListenError::InUse { owner: None }).kind(), FailureKind::AddressInUse);
        assert_eq!(listen(ListenError::Privileged).kind(), FailureKind::Other);
        let step = RoleError::step_as(Step::OpenStore, FailureKind::StoreUnavailable);
        assert_eq!(step("it is locked").kind(), FailureKind::StoreUnavailable);
        let failure = RoleFailure { kind: FailureKind::WrongServer, message: String::new() };
        let cannot = RoleError::CannotRun { role: RoleKind::Router, failure };
        assert_eq!(cannot.failure().kind, FailureKind::WrongServer);
    }
}
