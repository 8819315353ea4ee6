//! Why a store cannot be opened.

use crate::kv::KvError;

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine cannot.
    #[error("the store in `{path}` cannot be opened")]
    Engine {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: KvError,
    },
    /// A row cannot be read.
    #[error("the store in `{path}` cannot be read")]
    Row {
        /// Its directory.
        path: String,
        /// Which row and why.
        #[source]
        source: model::state::RowError,
    },
    /// It is for a newer program. Nothing was changed.
    #[error(
        "the store in `{path}` has format {found}, of berth {written_by}, and this program reads formats up to {reads}: \
         use berth {written_by} or newer, or go back to the copy `{copy}`, made when the store left format {reads}"
    )]
    TooNew {
        /// Its directory.
        path: String,
        /// Its format.
        found: u32,
        /// The version of Berth that gave it that format.
        written_by: String,
        /// The newest format of this program.
        reads: u32,
        /// The name of the copy that this program can read.
        copy: String,
    },
    /// Its format cannot be read.
    #[error(
        "the store in `{path}` does not say which format it has: that is written as `{written}`"
    )]
    Format {
        /// Its directory.
        path: String,
        /// What stands there.
        written: String,
    },
    /// Its upgrade would lose or make rows. The copy that was made before is kept.
    #[error(
        "the upgrade of the store in `{path}` stopped: there were {before} rows `{kind}`, and now there are {after}"
    )]
    Upgrade {
        /// Its directory.
        path: String,
        /// Rows of which kind.
        kind: String,
        /// How many there were.
        before: u64,
        /// How many there are.
        after: u64,
    },
}
