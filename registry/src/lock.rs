//! Locks by key, created on demand and dropped when they are free. They order what happens in this one process, which is the
//! only one that serves the registry.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Keys that may exist before free ones are dropped.
const FORGET_ABOVE: usize = 1_024;

#[derive(Debug)]
pub(crate) struct Locks<K>(Mutex<HashMap<K, Weak<RwLock<()>>>>);

impl<K> Default for Locks<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Locks<K> {
    /// Takes the lock shared.
    pub(crate) async fn shared(&self, key: K) -> OwnedRwLockReadGuard<()> {
        self.of(key).read_owned().await
    }

    /// Takes the lock exclusively.
    pub(crate) async fn alone(&self, key: K) -> OwnedRwLockWriteGuard<()> {
        self.of(key).write_owned().await
    }

    fn of(&self, key: K) -> Arc<RwLock<()>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= FORGET_ABOVE {
            known.retain(|_, lock| lock.strong_count() > 0);
        }
        if let Some(lock) = known.get(&key).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(RwLock::new(()));
        known.insert(key, Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_key_is_held_by_one_and_forgotten_afterwards() {
        let locks = Locks::default();
        let held = locks.alone("a").await;
        assert!(locks.of("a").try_read_owned().is_err(), "it is held");
        assert!(locks.of("b").try_write_owned().is_ok(), "another key is free");
        drop(held);
        let first = locks.shared("a").await;
        let second = locks.shared("a").await;
        drop((first, second));
        let locks = Locks::default();
        for key in 0..3 * FORGET_ABOVE {
            drop(locks.alone(key).await);
        }
        assert!(locks.0.lock().unwrap().len() <= FORGET_ABOVE);
    }
}
