//! Which form a store's rows have: a number in a row of its own, read before anything else is read or written.
//!
//! | number | State's rows, and history as it is added |
//! |---|---|
//! | 1 | a JSON document; the store has no row that says so |
//! | 2 | a byte with the number of their kind's schema, then the JSON document |
//! | 3 | the same; services have revisions, which say how they are reached |

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::key;
use crate::kv::{Kv, KvError, Range, Write};

/// The embedded engine's file in the store's directory.
pub(crate) const FILE: &str = "store.redb";

/// The format that this program writes, and the highest one that it reads.
pub(crate) const CURRENT: u32 = 3;
/// That of a store that does not say: there was no number yet.
const UNNUMBERED: u32 = 1;
/// The version of this program.
const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// What the row says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Format {
    /// The number.
    pub(crate) number: u32,
    /// The version of Berth that wrote the row.
    pub(crate) written_by: String,
    /// An upgrade that has begun and is not over: rows of both forms are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) upgrade: Option<Upgrade>,
}

/// An upgrade under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Upgrade {
    /// The format that it leads to.
    pub(crate) to: u32,
    /// The rows that were there when it began.
    pub(crate) counts: Counts,
}

/// What a store is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It holds nothing yet, no format either.
    Empty,
    /// It has the format that this program writes.
    Current,
    /// It has an older one.
    Older(Format),
}

/// Why the row says nothing that this program can work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    #[error(transparent)]
    Engine(#[from] KvError),
    /// The store is for a newer program.
    #[error("format {number}")]
    TooNew { number: u32, written_by: String },
    /// Not a row that any version writes.
    #[error("its format is written as `{0}`")]
    Unreadable(String),
}

/// Reads the format; a newer one than this program's is an error.
pub(crate) async fn read(kv: &dyn Kv) -> Result<Found, FormatError> {
    let Some(value) = kv.get(key::FORMAT.to_vec()).await? else {
        let any = kv.range(Range { limit: 1, ..Range::default() }).await?;
        let older = Format { upgrade: None, ..Format::numbered(UNNUMBERED) };
        return Ok(if any.is_empty() { Found::Empty } else { Found::Older(older) });
    };
    let format: Format = serde_json::from_slice(&value).ok().ok_or_else(|| {
        FormatError::Unreadable(String::from_utf8_lossy(&value).chars().take(200).collect())
    })?;
    // Rows of a newer form may be there once an upgrade to it has begun.
    let number = format.upgrade.as_ref().map_or(format.number, |upgrade| upgrade.to);
    match number {
        CURRENT if format.upgrade.is_none() => Ok(Found::Current),
        ..=CURRENT => Ok(Found::Older(format)),
        _ => Err(FormatError::TooNew { number, written_by: format.written_by }),
    }
}

impl Format {
    fn numbered(number: u32) -> Self {
        Self { number, written_by: PROGRAM.to_owned(), upgrade: None }
    }

    /// That of a store of this program.
    pub(crate) fn current() -> Self {
        Self::numbered(CURRENT)
    }

    /// The same format while its upgrade to this program's is under way.
    pub(crate) fn upgrading(&self, counts: Counts) -> Self {
        let upgrade = Some(Upgrade { to: CURRENT, counts });
        Self { upgrade, ..Self::numbered(self.number) }
    }

    /// The row.
    pub(crate) fn write(&self) -> Write {
        let value = serde_json::to_vec(self).expect("a format has string keys only");
        Write::Put { key: key::FORMAT.to_vec(), value }
    }
}

/// The name of the copy of a store of format `number`, beside it: what comes next is what it lies before.
pub(crate) fn copy_name(number: u32) -> String {
    format!("before-{}", number + 1)
}
