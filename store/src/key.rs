//! How rows of different kinds share one ordered key space: a letter and a slash before each key.

use model::{RowKey, Timestamp};

/// State.
pub(crate) const STATE: &[u8] = b"s/";
/// What happened.
pub(crate) const HISTORY: &[u8] = b"h/";
/// What people and their programs asked for.
pub(crate) const AUDIT: &[u8] = b"a/";
/// What finds history by what it is about.
const HISTORY_ABOUT: &str = "i/";
/// Rows beside State.
pub(crate) const BESIDE: &[u8] = b"b/";
/// The revision of State.
pub(crate) const REVISION: &[u8] = b"m/revision";
/// Which form the rows have.
pub(crate) const FORMAT: &[u8] = b"m/format";

pub(crate) fn state(key: &RowKey) -> Vec<u8> {
    [STATE, key.to_string().as_bytes()].concat()
}

pub(crate) fn beside(key: &[u8]) -> Vec<u8> {
    [BESIDE, key].concat()
}

/// A row of the log with this prefix: by time, then by the order in which it was written; big-endian, so that byte order is
/// time order.
pub(crate) fn history(log: &[u8], at: Timestamp, number: u64) -> Vec<u8> {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0);
    [log, &millis.to_be_bytes(), &number.to_be_bytes()].concat()
}

/// What the index rows of history about something begin with; behind it stands the history row's key.
pub(crate) fn history_about(kind: &str, id: &impl std::fmt::Display) -> Vec<u8> {
    format!("{HISTORY_ABOUT}{kind}/{id}/").into_bytes()
}

/// The time in a history key.
pub(crate) fn history_at(key: &[u8]) -> Timestamp {
    let millis =
        key.get(2..10).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
    Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

pub(crate) fn without_kind(key: &[u8]) -> Vec<u8> {
    key.get(2..).unwrap_or_default().to_vec()
}

/// What a key is counted as when the store's rows are counted: the kind of its entity, or that of its row. None for what
/// is about the store itself.
pub(crate) fn counted_as(key: &[u8]) -> Option<String> {
    match key.get(..2)? {
        STATE => {
            Some(String::from_utf8_lossy(key[2..].split(|byte| *byte == b'/').next()?).into_owned())
        }
        HISTORY => Some("history".to_owned()),
        AUDIT => Some("audit".to_owned()),
        BESIDE => Some("beside State".to_owned()),
        prefix if prefix == HISTORY_ABOUT.as_bytes() => Some("history index".to_owned()),
        _ => None,
    }
}
