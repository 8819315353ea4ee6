//! The seam below the store: ordered keys, atomic batches guarded by the leader's epoch, and a watch from a revision.
//!
//! It asks for no more than etcd can give, so that another engine may take redb's place: a batch touches at most
//! [`BATCH_ROWS`] keys, each once, and at most [`BATCH_BYTES`]; there is no interactive transaction. Whoever leads has an
//! epoch, and a commit under an older one changes nothing. One conformance suite runs against every engine.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::PathBuf;

use futures_util::future::BoxFuture;
use model::Epoch;
use model::limits::{BATCH_BYTES, BATCH_ROWS};

pub mod memory;
pub mod redb;
mod ring;

#[cfg(test)]
mod conformance;

pub use ring::Watch;

/// A key and its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// One key set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets it.
    Put {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Removes it; nothing happens when it is not there.
    Delete {
        /// The key.
        key: Vec<u8>,
    },
}

impl Write {
    /// The key that it touches.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put { key, value: _ } | Self::Delete { key } => key,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// Which pairs to read: those whose key begins with `prefix`, in key order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Range {
    /// What their keys begin with.
    pub prefix: Vec<u8>,
    /// Only keys behind this one (before it, when reversed).
    pub after: Option<Vec<u8>>,
    /// How many at most.
    pub limit: usize,
    /// Highest key first.
    pub reverse: bool,
}

/// What a watch reports: the writes of one batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The engine's revision: one more with each batch.
    pub revision: u64,
    /// What was written.
    pub writes: Vec<Write>,
}

/// Why the engine did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// Somebody else leads now; nothing was written.
    #[error("epoch {held} does not lead any more")]
    LostLeadership {
        /// The epoch of the caller.
        held: Epoch,
    },
    /// A batch outside of the bounds; nothing was written.
    #[error("a batch {0}")]
    OutOfBounds(&'static str),
    /// The revisions that a watch asked for are gone: read everything again.
    #[error("the changes since that revision are gone")]
    Compacted,
    /// A copy does not fit on the disk; nothing was written.
    #[error(
        "before its upgrade the store is copied in `{dir}`, which needs {} MiB free, and {} MiB are: make room and start again",
        needed_bytes.div_ceil(1 << 20),
        free_bytes >> 20
    )]
    NoRoom {
        /// The directory.
        dir: String,
        /// What must be free.
        needed_bytes: u64,
        /// What is free.
        free_bytes: u64,
    },
    /// The engine failed. Nothing is known of a commit that was under way until it is opened again.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// An engine.
pub trait Kv: Debug + Send + Sync + 'static {
    /// Takes the lead under a new epoch, greater than all before; whoever led is fenced off.
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>>;

    /// The value of a key.
    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>>;

    /// Pairs in key order.
    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>>;

    /// Commits batches in order, durably: it answers once all of them are on disk. Each batch is atomic on its own, and
    /// those before a crash are a prefix. Answers the revision of the last one.
    fn commit(&self, epoch: Epoch, batches: Vec<Vec<Write>>)
    -> BoxFuture<'_, Result<u64, KvError>>;

    /// The revision of the last batch that was committed.
    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>>;

    /// Keeps everything as it is now under a name beside the engine's own data, durably, and says where; None of an engine
    /// that has no data on this host. The same is not kept twice. Nothing of the engine's own is changed, and nothing is
    /// kept where there is too little room.
    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>>;

    /// What is committed after revision `from`, without a gap.
    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>>;
}

/// Whether a batch is within the bounds that every engine keeps.
pub fn check_bounds(writes: &[Write]) -> Result<(), KvError> {
    if writes.len() > BATCH_ROWS {
        return Err(KvError::OutOfBounds("touches more than 100 keys"));
    }
    if writes.iter().map(Write::bytes).sum::<usize>() > BATCH_BYTES {
        return Err(KvError::OutOfBounds("is larger than 1 MiB"));
    }
    let keys: BTreeSet<&[u8]> = writes.iter().map(Write::key).collect();
    if keys.len() < writes.len() {
        return Err(KvError::OutOfBounds("touches a key twice"));
    }
    Ok(())
}

/// The first key that does not begin with `prefix` any more; None where all behind it do.
pub(crate) fn end_of(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The bounds of a range as an ordered map takes them.
pub(crate) fn bounds(range: &Range) -> (std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>) {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let low = match &range.after {
        Some(after) if !range.reverse && *after >= range.prefix => Excluded(after.clone()),
        _ => Included(range.prefix.clone()),
    };
    let end = end_of(&range.prefix);
    let high = match &range.after {
        Some(after) if range.reverse && end.as_ref().is_none_or(|end| after < end) => {
            Excluded(after.clone())
        }
        _ => end.map_or(Unbounded, Excluded),
    };
    (low, high)
}

/// Whether bounds hold nothing, which an ordered map would panic on.
pub(crate) fn is_empty(bounds: &(std::ops::Bound<Vec<u8>>, std::ops::Bound<Vec<u8>>)) -> bool {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    match bounds {
        (Included(low) | Excluded(low), Excluded(high)) => low >= high,
        (Included(low) | Excluded(low), Included(high)) => low > high,
        (Unbounded, _) | (_, Unbounded) => false,
    }
}
