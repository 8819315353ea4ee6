//! What is wrong with a configuration: all of it at once, each with its key, its place and what to do.

use std::fmt;

use crate::origin::Origin;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// Everything that is wrong; at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.problems.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file cannot be read.
    #[error("cannot read the configuration file `{path}`: {cause}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// The file is not TOML.
    #[error("the configuration file `{path}` is not TOML: {cause}")]
    Syntax {
        /// The file.
        path: String,
        /// Where and what.
        cause: String,
    },
    /// A key that does not exist.
    #[error("unknown setting `{key}` ({origin}){}", suggestion(.nearest.as_deref()))]
    Unknown {
        /// The key, or the variable.
        key: String,
        /// Where it is set.
        origin: Origin,
        /// The known one that it looks like.
        nearest: Option<String>,
    },
    /// A value of a wrong type or form.
    #[error("`{key}` must be {expected}, not {given} ({origin})")]
    Wrong {
        /// The key.
        key: String,
        /// What it must be.
        expected: String,
        /// What was given.
        given: String,
        /// Where it is set.
        origin: Origin,
    },
    /// A value that is well formed and cannot be used.
    #[error("`{key}` cannot be `{given}` ({origin}): {why}")]
    Unusable {
        /// The key.
        key: String,
        /// The value.
        given: String,
        /// Where it is set.
        origin: Origin,
        /// Why, and what to do.
        why: String,
    },
    /// The data directory cannot be determined.
    #[error(
        "there is no data directory: neither HOME nor XDG_STATE_HOME is set; name one with --data-dir or BERTH_DATA_DIR"
    )]
    NoDataDir,
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; `berth config print` lists all".to_owned(),
        |known| format!(": did you mean `{known}`?"),
    )
}
