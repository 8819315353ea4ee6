//! How many rows a store has of each kind.

use std::collections::BTreeMap;

use crate::key;
use crate::kv::{Kv, KvError, Range};

/// Rows read at a time.
const PAGE: usize = 500;

/// Kinds of which an upgrade makes other rows than there were: rules that came with a service are a part of its revisions.
const MADE_ANEW: [&str; 2] = ["rule", "service-revision"];

/// Rows by kind.
pub(crate) type Counts = BTreeMap<String, u64>;

/// A kind of which there are more rows than before, or fewer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there were {before} rows `{kind}`, and now there are {after}")]
pub(crate) struct Difference {
    pub(crate) kind: String,
    pub(crate) before: u64,
    pub(crate) after: u64,
}

/// Counts all rows: those of State by entity, history, what finds it, and what stands beside State.
pub(crate) async fn count(kv: &dyn Kv) -> Result<Counts, KvError> {
    let mut counts = Counts::new();
    let mut after = None;
    loop {
        let range = Range { after, limit: PAGE, ..Range::default() };
        let pairs = kv.range(range).await?;
        let Some((last, _)) = pairs.last() else { return Ok(counts) };
        after = Some(last.clone());
        for kind in pairs.iter().filter_map(|(key, _)| key::counted_as(key)) {
            *counts.entry(kind).or_default() += 1;
        }
    }
}

/// Says of which kind there are not as many rows as before.
pub(crate) fn compare(before: &Counts, after: &Counts) -> Result<(), Difference> {
    let of = |counts: &Counts, kind: &String| counts.get(kind).copied().unwrap_or_default();
    let mut kinds =
        before.keys().chain(after.keys()).filter(|kind| !MADE_ANEW.contains(&kind.as_str()));
    match kinds.find(|kind| of(before, kind) != of(after, kind)) {
        None => Ok(()),
        Some(kind) => {
            Err(Difference { kind: kind.clone(), before: of(before, kind), after: of(after, kind) })
        }
    }
}
