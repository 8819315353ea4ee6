//! What happened: rows by time, read when somebody asks, pruned by age and number. A row that cannot be read is passed
//! over, since nothing decides on it.

use std::time::Duration;

use model::{History, ServiceId, TaskId, Timestamp};

use crate::key;
use crate::kv::{Kv, KvError, Pair, Range, Write};

/// Rows read at a time.
const PAGE: usize = 500;
/// Rows looked at in one pruning: so many usually, and so many when there are many too many.
const PRUNED_AT_ONCE: (usize, usize) = (100, 1_000);

/// Which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only about this service.
    pub service: Option<ServiceId>,
    /// Only about this task.
    pub task: Option<TaskId>,
    /// How much at most.
    pub limit: usize,
}

/// How much history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Nothing older.
    pub age: Duration,
    /// No more rows.
    pub rows: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), rows: 20_000 }
    }
}

fn page(after: Option<Vec<u8>>, limit: usize, reverse: bool) -> Range {
    Range { prefix: key::HISTORY.to_vec(), after, limit, reverse }
}

/// Newest first.
pub(crate) async fn read(kv: &dyn Kv, query: &HistoryQuery) -> Result<Vec<History>, KvError> {
    let mut found = Vec::new();
    let mut after = None;
    while found.len() < query.limit {
        let pairs = kv.range(page(after, PAGE, true)).await?;
        let Some((last, _)) = pairs.last() else { break };
        after = Some(last.clone());
        let rows = pairs.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok());
        let wanted = rows.filter(|row: &History| {
            query.service.is_none_or(|service| row.service() == Some(service))
                && query.task.is_none_or(|task| row.task() == Some(task))
        });
        found.extend(wanted.take(query.limit - found.len()));
    }
    Ok(found)
}

/// How many rows there are.
pub(crate) async fn count(kv: &dyn Kv) -> Result<usize, KvError> {
    let mut count = 0;
    let mut after = None;
    loop {
        let pairs = kv.range(page(after, PAGE, false)).await?;
        let Some((last, _)) = pairs.last() else { return Ok(count) };
        after = Some(last.clone());
        count += pairs.len();
    }
}

/// The removal of the oldest rows that are too old or too many, of a bounded number at once.
pub(crate) async fn prune(
    kv: &dyn Kv,
    limits: &HistoryLimits,
    count: usize,
    now: Timestamp,
) -> Result<Vec<Write>, KvError> {
    let excess = count.saturating_sub(limits.rows);
    let (usual, most) = PRUNED_AT_ONCE;
    let oldest = kv.range(page(None, excess.clamp(usual, most), false)).await?;
    let goes = |index: usize, (key, _): &Pair| {
        index < excess || now.since(key::history_at(key)) > limits.age
    };
    let gone = oldest.into_iter().enumerate().take_while(|(index, pair)| goes(*index, pair));
    Ok(gone.map(|(_, (key, _))| Write::Delete { key }).collect())
}
