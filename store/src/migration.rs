//! An older store becomes one of the newest format when it is opened.
//!
//! First everything is copied beside the store, durably; then each service gets its revisions, in a batch of its own; then
//! rows are rewritten in batches, each of which leaves rows that this program reads, since it reads both forms; the last
//! batch writes the number. Whatever cuts it
//! off, the next opening goes on with the rows that are still in the older form, and the end is the same.

use model::limits::{BATCH_BYTES, BATCH_ROWS};
use model::state::RowError;
use model::state::upgrade::to_revisions;
use model::{Epoch, History};

use crate::counts::{self, Counts, Difference};
use crate::format::{Format, copy_name};
use crate::key;
use crate::kv::{Kv, KvError, Range, Write};

/// Rows read at a time.
const PAGE: usize = 500;
/// Batches in one commit: they share its `fsync`.
const BATCHES_PER_COMMIT: usize = 16;

/// Why an upgrade did not come to its end. The store is as it was, or in the middle; the next opening goes on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MigrationError {
    #[error(transparent)]
    Engine(#[from] KvError),
    #[error(transparent)]
    Row(#[from] RowError),
    /// The rows are not those that there were.
    #[error(transparent)]
    Counts(#[from] Difference),
}

/// How much is written at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Keys in a batch at most.
    pub(crate) keys: usize,
    /// Bytes in a batch at most.
    pub(crate) bytes: usize,
    /// Batches in a commit at most.
    pub(crate) batches: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { keys: BATCH_ROWS, bytes: BATCH_BYTES, batches: BATCHES_PER_COMMIT }
    }
}

/// An upgrade that can begin: the copy is there.
#[derive(Debug)]
pub(crate) struct Migration {
    from: Format,
    counts: Counts,
    pace: Pace,
}

impl Migration {
    /// Copies the store, unless an upgrade of it has begun, which has its copy. Nothing of the store is changed.
    pub(crate) async fn prepare(
        kv: &dyn Kv,
        from: Format,
        pace: Pace,
    ) -> Result<Self, MigrationError> {
        let counts = if let Some(begun) = &from.upgrade {
            begun.counts.clone()
        } else {
            if let Some(copy) = kv.keep_copy(&copy_name(from.number)).await? {
                tracing::info!("the store as it was is kept as `{}`", copy.display());
            }
            counts::count(kv).await?
        };
        Ok(Self { from, counts, pace })
    }

    /// Rewrites what is in an older form, then writes the number.
    pub(crate) async fn run(self, kv: &dyn Kv, epoch: Epoch) -> Result<(), MigrationError> {
        let begun = self.from.upgrading(self.counts.clone());
        if self.from.upgrade != begun.upgrade {
            kv.commit(epoch, vec![vec![begun.write()]]).await?;
        }
        make_revisions(kv, epoch).await?;
        for prefix in [key::STATE, key::HISTORY, key::AUDIT] {
            self.rewrite_all(kv, epoch, prefix).await?;
        }
        let after = counts::count(kv).await?;
        counts::compare(&self.counts, &after)?;
        kv.commit(epoch, vec![vec![Format::current().write()]]).await?;
        let rows: Vec<String> = after.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
        let (from, to) = (self.from.number, Format::current().number);
        tracing::info!("the store is upgraded from format {from} to {to}: {}", rows.join(", "));
        Ok(())
    }

    async fn rewrite_all(
        &self,
        kv: &dyn Kv,
        epoch: Epoch,
        prefix: &[u8],
    ) -> Result<(), MigrationError> {
        let mut batches =
            Batches { pace: self.pace, whole: Vec::new(), last: Vec::new(), bytes: 0 };
        let mut after = None;
        loop {
            let range = Range { prefix: prefix.to_vec(), after, limit: PAGE, reverse: false };
            let pairs = kv.range(range).await?;
            let Some((last, _)) = pairs.last() else { break };
            after = Some(last.clone());
            for (key, value) in pairs {
                if let Some(value) = newest_form(&key, &value)? {
                    batches.put(key, value);
                }
                if batches.whole.len() >= self.pace.batches {
                    kv.commit(epoch, std::mem::take(&mut batches.whole)).await?;
                }
            }
        }
        let rest = batches.all();
        if !rest.is_empty() {
            kv.commit(epoch, rest).await?;
        }
        Ok(())
    }
}

/// Gives each service that has none its revisions: the service, its deployments and its rules change at once.
async fn make_revisions(kv: &dyn Kv, epoch: Epoch) -> Result<(), MigrationError> {
    let all = Range { prefix: key::STATE.to_vec(), limit: usize::MAX, ..Range::default() };
    let pairs = kv.range(all).await?;
    let rows = pairs.iter().filter_map(|(key, value)| {
        let key = std::str::from_utf8(key.strip_prefix(key::STATE)?).ok()?;
        Some((key, value.as_slice()))
    });
    for service in to_revisions(rows)? {
        let of_state = |key: String| [key::STATE, key.as_bytes()].concat();
        let writes = service.into_iter().map(|(key, value)| match value {
            Some(value) => Write::Put { key: of_state(key), value },
            None => Write::Delete { key: of_state(key) },
        });
        kv.commit(epoch, vec![writes.collect()]).await?;
    }
    Ok(())
}

/// The newest form of a row; None where it has that already, or where its kind has only ever had one form.
fn newest_form(key: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
    match key.split_at_checked(key::STATE.len()) {
        Some((key::STATE, row)) => model::state::newest_form(&String::from_utf8_lossy(row), value),
        // One that cannot be read stays as it is: whoever reads history passes over it.
        Some((key::HISTORY | key::AUDIT, _)) => {
            Ok(History::newest_form("history", value).unwrap_or_default())
        }
        Some(_) | None => Ok(None),
    }
}

/// Rows in batches within the bounds.
#[derive(Debug)]
struct Batches {
    pace: Pace,
    whole: Vec<Vec<Write>>,
    last: Vec<Write>,
    bytes: usize,
}

impl Batches {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        let bytes = key.len() + value.len();
        let full = self.last.len() >= self.pace.keys || self.bytes + bytes > self.pace.bytes;
        if full && !self.last.is_empty() {
            self.whole.push(std::mem::take(&mut self.last));
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.last.push(Write::Put { key, value });
    }

    fn all(mut self) -> Vec<Vec<Write>> {
        if !self.last.is_empty() {
            self.whole.push(self.last);
        }
        self.whole
    }
}
