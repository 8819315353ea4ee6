//! Why a command failed.

use api::client::CallError;

use crate::exit::Exit;
use crate::sentence;

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The API did not do it.
    Call(CallError),
    /// Anything else, with its exit code and a sentence with cause and next step.
    Other(Exit, String),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Call(error) => Exit::of(error),
            Self::Other(exit, _) => *exit,
        }
    }

    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Call(error) => sentence::call(error),
            Self::Other(_, sentence) => sentence.clone(),
        }
    }
}

/// How a command ended.
pub(crate) type Outcome = Result<Exit, Failure>;
