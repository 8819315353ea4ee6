//! Why a step of the demo did not hold.

use crate::docker::DockerError;

/// A step that did not hold, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The `docker` command failed.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// The installation did not do what it should.
    #[error("{0}")]
    Step(String),
}

/// A step that did not hold, for this reason.
pub(crate) fn step_error(error: impl std::fmt::Display) -> DemoError {
    DemoError::Step(error.to_string())
}
