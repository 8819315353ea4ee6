//! The engine for tests: in memory, and as unkind as a remote one may be. From a seed it loses leadership and compacts
//! its watches now and then.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use model::Epoch;

use super::ring::Ring;
use super::{Committed, Kv, KvError, Pair, Range, Watch, Write, bounds, check_bounds, is_empty};

/// Commits that watches may fall behind.
const RING: usize = 1_000;

/// The engine.
#[derive(Debug)]
pub struct MemoryKv {
    held: Mutex<Held>,
    ring: Ring,
}

#[derive(Debug)]
struct Held {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    epoch: Epoch,
    revision: u64,
    chaos: Option<Chaos>,
}

/// Small and its own, so that the engine needs no random numbers: xorshift.
#[derive(Debug)]
struct Chaos(u64);

impl Chaos {
    fn one_in(&mut self, n: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.is_multiple_of(n)
    }
}

impl MemoryKv {
    /// A kind one.
    pub fn new() -> Self {
        Self::made(None)
    }

    /// One that loses leadership and compacts watches at random, the same way for the same seed.
    pub fn unkind(seed: u64) -> Self {
        Self::made(Some(Chaos(seed | 1)))
    }

    fn made(chaos: Option<Chaos>) -> Self {
        let held = Held { pairs: BTreeMap::new(), epoch: Epoch(0), revision: 0, chaos };
        Self { held: Mutex::new(held), ring: Ring::new(0, RING) }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn commit_now(&self, epoch: Epoch, batches: Vec<Vec<Write>>) -> Result<u64, KvError> {
        for batch in &batches {
            check_bounds(batch)?;
        }
        let mut held = self.held();
        if held.chaos.as_mut().is_some_and(|chaos| chaos.one_in(20)) {
            held.epoch.0 += 1;
        }
        if held.chaos.as_mut().is_some_and(|chaos| chaos.one_in(20)) {
            self.ring.compact();
        }
        if epoch != held.epoch {
            return Err(KvError::LostLeadership { held: epoch });
        }
        for writes in batches {
            held.revision += 1;
            for write in &writes {
                match write {
                    Write::Put { key, value } => {
                        held.pairs.insert(key.clone(), value.clone());
                    }
                    Write::Delete { key } => {
                        held.pairs.remove(key);
                    }
                }
            }
            self.ring.push([Committed { revision: held.revision, writes }]);
        }
        Ok(held.revision)
    }

    fn range_now(&self, range: &Range) -> Vec<Pair> {
        let bounds = bounds(range);
        if is_empty(&bounds) {
            return Vec::new();
        }
        let held = self.held();
        let found = held.pairs.range(bounds).map(|(key, value)| (key.clone(), value.clone()));
        if range.reverse {
            found.rev().take(range.limit).collect()
        } else {
            found.take(range.limit).collect()
        }
    }
}

impl Default for MemoryKv {
    fn default() -> Self {
        Self::new()
    }
}

impl Kv for MemoryKv {
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>> {
        let mut held = self.held();
        held.epoch.0 += 1;
        ready(Ok(held.epoch)).boxed()
    }

    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>> {
        ready(Ok(self.held().pairs.get(&key).cloned())).boxed()
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>> {
        ready(Ok(self.range_now(&range))).boxed()
    }

    fn commit(
        &self,
        epoch: Epoch,
        batches: Vec<Vec<Write>>,
    ) -> BoxFuture<'_, Result<u64, KvError>> {
        ready(self.commit_now(epoch, batches)).boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        ready(Ok(self.held().revision)).boxed()
    }

    fn keep_copy(&self, _: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        ready(Ok(None)).boxed()
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        ready(self.ring.watch(from)).boxed()
    }
}
