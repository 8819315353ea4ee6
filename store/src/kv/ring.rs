//! The last commits in memory, for watches: every commit reaches every watch once and in order, or the watch is told that
//! it fell behind. It never sees a gap.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::{Committed, KvError};

/// The last commits.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kept: Mutex<Kept>,
    more: Notify,
}

#[derive(Debug)]
struct Kept {
    commits: VecDeque<Committed>,
    last: u64,
    capacity: usize,
}

impl Ring {
    /// Begins behind revision `last`.
    pub(super) fn new(last: u64, capacity: usize) -> Self {
        let kept = Mutex::new(Kept { commits: VecDeque::new(), last, capacity });
        Self { shared: Arc::new(Shared { kept, more: Notify::new() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds commits that are durable, in order.
    pub(super) fn push(&self, commits: impl IntoIterator<Item = Committed>) {
        let mut kept = self.kept();
        for commit in commits {
            kept.last = commit.revision;
            kept.commits.push_back(commit);
        }
        let excess = kept.commits.len().saturating_sub(kept.capacity);
        kept.commits.drain(..excess);
        drop(kept);
        self.shared.more.notify_waiters();
    }

    /// Forgets all that it keeps: watches that are behind are told so.
    pub(super) fn compact(&self) {
        self.kept().commits.clear();
        self.shared.more.notify_waiters();
    }

    /// A watch of what comes after `from`.
    pub(super) fn watch(&self, from: u64) -> Result<Watch, KvError> {
        let watch = Watch { ring: self.clone(), seen: from };
        watch.take(0).map(|_| watch)
    }
}

/// What is committed from a revision on.
#[derive(Debug)]
pub struct Watch {
    ring: Ring,
    seen: u64,
}

impl Watch {
    /// The next commits, one at least; [`KvError::Compacted`] when this watch fell too far behind.
    pub async fn next(&mut self) -> Result<Vec<Committed>, KvError> {
        loop {
            let ring = self.ring.clone();
            let more = ring.shared.more.notified();
            tokio::pin!(more);
            // Registered before the look, so that a commit in between wakes it.
            more.as_mut().enable();
            let commits = self.take(usize::MAX)?;
            if let Some(last) = commits.last() {
                self.seen = last.revision;
                return Ok(commits);
            }
            more.await;
        }
    }

    fn take(&self, limit: usize) -> Result<Vec<Committed>, KvError> {
        let kept = self.ring.kept();
        let first = kept.last + 1 - kept.commits.len() as u64;
        if self.seen > kept.last || self.seen + 1 < first {
            return Err(KvError::Compacted);
        }
        let skip = usize::try_from(self.seen + 1 - first).unwrap_or(usize::MAX);
        Ok(kept.commits.iter().skip(skip).take(limit).cloned().collect())
    }
}
