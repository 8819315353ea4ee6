//! Why a role or the supervisor gives up, as one sentence with its causes, and the exit code that tells scripts apart.

use std::error::Error;
use std::path::Path;

use cli::exit::Exit;

/// Why it ended.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A file or directory cannot be used.
    #[error("cannot use `{path}`")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody else is at it.
    #[error("{0}")]
    Taken(String),
    /// It took too long.
    #[error("{0}")]
    Late(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A part of Berth cannot go on.
    #[error("{what}")]
    Part {
        /// What it could not do.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Anything else that a sentence tells.
    #[error("{0}")]
    Said(String),
}

impl Failure {
    /// A file or directory that cannot be used.
    pub fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::File { path, source }
    }

    /// A part that could not do something.
    pub fn part<E: Error + Send + Sync + 'static>(what: &str) -> impl FnOnce(E) -> Self {
        let what = what.to_owned();
        move |source| Self::Part { what, source: Box::new(source) }
    }

    /// The whole chain of causes in one line.
    pub fn sentence(&self) -> String {
        model::chain(self)
    }

    /// The exit code that belongs to it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Config(_) => Exit::Usage,
            Self::Taken(_) => Exit::Conflict,
            Self::Late(_) => Exit::Timeout,
            Self::File { .. } | Self::Part { .. } | Self::Said(_) => Exit::Failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_its_causes_once() {
        let inner = std::io::Error::other("the disk is full");
        let failure = Failure::file(Path::new("/data/admin.token"))(inner);
        assert_eq!(failure.sentence(), "cannot use `/data/admin.token`: the disk is full");
    }
}
