//! Why a command failed.

use api::ProblemCode;
use api::client::CallError;

use crate::connection::Connection;
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

    /// What went wrong, for programs: the API's code where it has one.
    pub(crate) fn code(&self) -> &'static str {
        let code = match self {
            Self::Call(error) => error.code(),
            Self::Other(..) => None,
        };
        code.map_or_else(|| self.exit().name(), ProblemCode::as_str)
    }

    /// Cause and next step, for people.
    pub(crate) fn sentence(&self, connection: &Connection) -> String {
        match self {
            Self::Call(error) if error.code() == Some(ProblemCode::Unauthenticated) => {
                sentence::unauthenticated(connection)
            }
            Self::Call(error) => sentence::call(error),
            Self::Other(_, sentence) => sentence.clone(),
        }
    }
}

/// How a command ended.
pub(crate) type Outcome = Result<Exit, Failure>;
