//! Exit codes of the `berth` command, so that scripts can tell causes apart.

use std::process::ExitCode;

use api::client::CallError;
use http::StatusCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to.
    Success = 0,
    /// It failed in a way that has no code of its own.
    Failure = 1,
    /// The command line or the configuration cannot be used.
    Usage = 2,
    /// What it names does not exist.
    NotFound = 3,
    /// No credential, a wrong one, or no permission.
    Forbidden = 4,
    /// Something is in the way: a name that is taken, a status that does not allow it.
    Conflict = 5,
    /// It took too long; what was begun goes on.
    Timeout = 6,
    /// The server does not answer.
    Unreachable = 7,
    /// The deployment failed; it was rolled back where there was something to go back to.
    DeploymentFailed = 8,
    /// Somebody stopped it with Ctrl-C (128 and SIGINT); what was begun goes on.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// Its name, for programs that read errors as JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Failure => "Failure",
            Self::Usage => "Usage",
            Self::NotFound => "NotFound",
            Self::Forbidden => "Forbidden",
            Self::Conflict => "Conflict",
            Self::Timeout => "Timeout",
            Self::Unreachable => "Unreachable",
            Self::DeploymentFailed => "DeploymentFailed",
            Self::Interrupted => "Interrupted",
        }
    }

    /// That of a call that gave no answer.
    pub fn of(error: &CallError) -> Self {
        match error {
            CallError::Address { .. } => Self::Usage,
            CallError::Unreachable { .. } => Self::Unreachable,
            CallError::OtherRevision { .. } | CallError::Unreadable { .. } => Self::Failure,
            CallError::Refused(refused) => match refused.status {
                StatusCode::BAD_REQUEST
                | StatusCode::UNPROCESSABLE_ENTITY
                | StatusCode::PAYLOAD_TOO_LARGE => Self::Usage,
                StatusCode::NOT_FOUND => Self::NotFound,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Forbidden,
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Self::Conflict,
                _ => Self::Failure,
            },
        }
    }
}
