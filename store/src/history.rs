//! What happened: rows by time, read when somebody asks, pruned by age and number. A row that cannot be read is passed
//! over, since nothing decides on it.
//!
//! There are two logs, each bounded on its own: what happened to services, tasks and deployments, and what people and their
//! programs asked for. However much is asked for, what happened is kept.
//!
//! Beside each row of the first stand index rows, one for the service and one for the task that it is about, so that a
//! question about one of them reads no row about others. The price is a key or two more in the batch.

use std::time::Duration;

use model::history::{About, HistoryQuery};
use model::{History, HistoryPlace, Timestamp};

use crate::key;
use crate::kv::{Kv, KvError, Pair, Range, Write};

/// Rows read at a time.
const PAGE: usize = 500;
/// Rows looked at in one pruning: so many usually, and so many when there are many too many.
const PRUNED_AT_ONCE: (usize, usize) = (100, 1_000);

/// How much history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Nothing older.
    pub age: Duration,
    /// No more rows of what happened.
    pub rows: usize,
    /// No more rows of what was asked for.
    pub audit_rows: usize,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), rows: 20_000, audit_rows: 20_000 }
    }
}

/// How many rows each log has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogRows {
    /// Of what happened.
    pub(crate) happened: usize,
    /// Of what was asked for.
    pub(crate) audit: usize,
}

impl LogRows {
    /// How many of each these rows are.
    pub(crate) fn of(rows: &[History]) -> Self {
        let audit = rows.iter().filter(|row| row.is_audit()).count();
        Self { happened: rows.len() - audit, audit }
    }

    pub(crate) fn plus(self, more: Self) -> Self {
        Self { happened: self.happened + more.happened, audit: self.audit + more.audit }
    }

    pub(crate) fn minus(self, fewer: Self) -> Self {
        Self {
            happened: self.happened.saturating_sub(fewer.happened),
            audit: self.audit.saturating_sub(fewer.audit),
        }
    }

    pub(crate) fn fit(self, limits: &HistoryLimits) -> bool {
        self.happened <= limits.rows && self.audit <= limits.audit_rows
    }
}

/// What is written for a row: itself and what finds it.
pub(crate) fn writes(row: &History, number: u64) -> Vec<Write> {
    let log = if row.is_audit() { key::AUDIT } else { key::HISTORY };
    let key = key::history(log, row.at(), number);
    let mut writes: Vec<Write> =
        index(row, &key).map(|key| Write::Put { key, value: Vec::new() }).collect();
    writes.push(Write::Put { key, value: row.row() });
    writes
}

/// The keys of the index rows of the row under `key`.
fn index(row: &History, key: &[u8]) -> impl Iterator<Item = Vec<u8>> + use<> {
    let place = key::without_kind(key);
    let service = row.service().map(About::Service);
    let instance = row.instance().map(About::Instance);
    let abouts = service.into_iter().chain(row.task().map(About::Task)).chain(instance);
    abouts.map(move |about| [prefix(about), place.clone()].concat())
}

/// What the keys of all history about something begin with: those of the rows themselves, or of their index rows.
fn prefix(about: About) -> Vec<u8> {
    match about {
        About::All => key::HISTORY.to_vec(),
        About::Service(id) => key::history_about("service", &id),
        About::Task(id) => key::history_about("task", &id),
        About::Instance(id) => key::history_about("instance", &id),
        About::Audit => key::AUDIT.to_vec(),
    }
}

/// The place that the end of a key says: of the row's own, or of an index row's.
fn place(key: &[u8]) -> Option<HistoryPlace> {
    let (rest, number) = key.split_last_chunk()?;
    let (_, at) = rest.split_last_chunk()?;
    Some(HistoryPlace { at: u64::from_be_bytes(*at), number: u64::from_be_bytes(*number) })
}

/// Newest first, each with its place.
pub(crate) async fn read(
    kv: &dyn Kv,
    query: &HistoryQuery,
) -> Result<Vec<(HistoryPlace, History)>, KvError> {
    let prefix = prefix(query.about);
    let mut found = Vec::new();
    let mut after = query.after.map(|place| {
        [prefix.clone(), place.at.to_be_bytes().to_vec(), place.number.to_be_bytes().to_vec()]
            .concat()
    });
    while found.len() < query.limit {
        let limit = PAGE.min(query.limit - found.len());
        let range = Range { prefix: prefix.clone(), after, limit, reverse: true };
        let pairs = kv.range(range).await?;
        let Some((last, _)) = pairs.last() else { break };
        after = Some(last.clone());
        for (key, value) in pairs {
            let value = match query.about {
                About::All | About::Audit => Some(value),
                About::Service(_) | About::Task(_) | About::Instance(_) => {
                    kv.get([key::HISTORY, &key[prefix.len()..]].concat()).await?
                }
            };
            let row = value.and_then(|value| History::from_row("history", &value).ok());
            found.extend(place(&key).zip(row));
        }
    }
    Ok(found)
}

/// How many rows there are.
pub(crate) async fn count(kv: &dyn Kv) -> Result<LogRows, KvError> {
    Ok(LogRows {
        happened: count_of(kv, key::HISTORY).await?,
        audit: count_of(kv, key::AUDIT).await?,
    })
}

async fn count_of(kv: &dyn Kv, log: &[u8]) -> Result<usize, KvError> {
    let mut count = 0;
    let mut after = None;
    loop {
        let pairs = kv.range(oldest(log, after, PAGE)).await?;
        let Some((last, _)) = pairs.last() else { return Ok(count) };
        after = Some(last.clone());
        count += pairs.len();
    }
}

fn oldest(log: &[u8], after: Option<Vec<u8>>, limit: usize) -> Range {
    Range { prefix: log.to_vec(), after, limit, reverse: false }
}

/// The removal of the oldest rows that are too old or too many, of a bounded number at once; and of how many. What finds a
/// row goes before the row: where only a part of this is committed, the next pruning finds the rest.
pub(crate) async fn prune(
    kv: &dyn Kv,
    limits: &HistoryLimits,
    rows: LogRows,
    now: Timestamp,
) -> Result<(Vec<Write>, LogRows), KvError> {
    let too_old = |(key, _): &Pair| now.since(key::history_at(key)) > limits.age;
    let excess = rows.happened.saturating_sub(limits.rows);
    let (mut gone, happened) = prune_log(kv, key::HISTORY, excess, too_old).await?;
    let excess = rows.audit.saturating_sub(limits.audit_rows);
    let (gone_audit, audit) = prune_log(kv, key::AUDIT, excess, too_old).await?;
    gone.extend(gone_audit);
    Ok((gone, LogRows { happened, audit }))
}

async fn prune_log(
    kv: &dyn Kv,
    log: &[u8],
    excess: usize,
    too_old: impl Fn(&Pair) -> bool,
) -> Result<(Vec<Write>, usize), KvError> {
    let (usual, most) = PRUNED_AT_ONCE;
    let oldest = kv.range(oldest(log, None, excess.clamp(usual, most))).await?;
    let goes = |index: usize, pair: &Pair| index < excess || too_old(pair);
    let mut gone = Vec::new();
    let mut rows = 0;
    for (_, (key, value)) in oldest.into_iter().enumerate().take_while(|(n, pair)| goes(*n, pair)) {
        if let Ok(row) = History::from_row("history", &value) {
            gone.extend(index(&row, &key).map(|key| Write::Delete { key }));
        }
        gone.push(Write::Delete { key });
        rows += 1;
    }
    Ok((gone, rows))
}
