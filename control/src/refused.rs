//! Why a request was not done: a closed set, rendered for people in one place.

use std::fmt;

use model::{CommitError, Unmet};

use crate::sentence;

/// Why a request was not done. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Who asks may not, or what they took for granted does not hold.
    Unmet(Unmet),
    /// It cannot be committed.
    Commit(CommitError),
    /// Somebody else was faster each time that it was decided.
    Contended,
    /// History cannot be read.
    HistoryUnreadable(String),
}

impl From<Unmet> for Refused {
    fn from(unmet: Unmet) -> Self {
        Self::Unmet(unmet)
    }
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Unmet(unmet) => Self::Unmet(unmet),
            CommitError::Refused(_)
            | CommitError::GuardFailed { .. }
            | CommitError::TooLarge(_)
            | CommitError::Unavailable(_) => Self::Commit(error),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence::refused(self))
    }
}

impl std::error::Error for Refused {}
