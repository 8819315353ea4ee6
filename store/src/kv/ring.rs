//! The last commits in memory, for watches: every commit reaches every watch once and in order, or the watch is told that
//! it fell behind. It never sees a gap.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use super::{Committed, KvError, Write};

/// Bytes of keys and values that are kept at most, whatever the number of commits; the last commit stays in any case.
const MOST_BYTES: usize = 32 << 20;

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
    bytes: usize,
}

impl Kept {
    fn shrink(&mut self) {
        while self.commits.len() > self.capacity
            || (self.bytes > MOST_BYTES && self.commits.len() > 1)
        {
            let gone = self.commits.pop_front();
            self.bytes -= gone.map_or(0, |commit| size(&commit));
        }
    }
}

fn size(commit: &Committed) -> usize {
    commit.writes.iter().map(Write::bytes).sum()
}

impl Ring {
    /// Begins behind revision `last`.
    pub(super) fn new(last: u64, capacity: usize) -> Self {
        let kept = Mutex::new(Kept { commits: VecDeque::new(), last, capacity, bytes: 0 });
        Self { shared: Arc::new(Shared { kept, more: Notify::new() }) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.shared.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The revision of the last commit.
    pub(super) fn last(&self) -> u64 {
        self.kept().last
    }

    /// Adds commits that are durable, in order.
    pub(super) fn push(&self, commits: impl IntoIterator<Item = Committed>) {
        let mut kept = self.kept();
        for commit in commits {
            kept.last = commit.revision;
            kept.bytes += size(&commit);
            kept.commits.push_back(commit);
            kept.shrink();
        }
        drop(kept);
        self.shared.more.notify_waiters();
    }

    /// Forgets all that it keeps: watches that are behind are told so.
    pub(super) fn compact(&self) {
        let mut kept = self.kept();
        kept.commits.clear();
        kept.bytes = 0;
        drop(kept);
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
