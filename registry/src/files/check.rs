//! Whether the bytes on disk are still those that were pushed. A disk may return others without an error, so the first read
//! of a blob in a day hashes what it reads.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{Digest, Timestamp};
use sha2::{Digest as _, Sha256, Sha512};

/// How long a check counts.
const COUNTS: Duration = Duration::from_hours(24);
/// Digests that are remembered; then all are forgotten, which costs a check of each.
const MOST: usize = 1 << 16;

/// A digest that is being computed.
pub(crate) enum Hash {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hash {
    /// Of the same algorithm as this digest.
    pub(crate) fn like(digest: &Digest) -> Self {
        match digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Sha512(_) => Self::Sha512(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Sha256(hash) => Digest::Sha256(hash.finalize().into()),
            Self::Sha512(hash) => Digest::Sha512(hash.finalize().into()),
        }
    }
}

/// Which blobs were read and found right, and when.
#[derive(Debug, Default)]
pub(crate) struct Checks(Mutex<HashMap<Digest, Timestamp>>);

impl Checks {
    pub(crate) fn note(&self, digest: &Digest, now: Timestamp) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(*digest, now);
    }

    /// Its file is another one now.
    pub(crate) fn forget(&self, digest: &Digest) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
    }

    /// Whether its check still counts. One of the future, after a clock was set back, does not.
    pub(crate) fn counts(&self, digest: &Digest, now: Timestamp) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(digest).is_some_and(|at| *at <= now && now.since(*at) < COUNTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::sha256;

    #[test]
    fn a_check_counts_for_a_day_and_not_for_another_file() {
        let (checks, digest) = (Checks::default(), sha256(b"a"));
        let at = |hours: u64| Timestamp::EPOCH.plus(Duration::from_hours(hours));
        assert!(!checks.counts(&digest, at(0)));
        checks.note(&digest, at(1));
        assert!(checks.counts(&digest, at(24)));
        assert!(!checks.counts(&digest, at(25)));
        assert!(!checks.counts(&digest, at(0)), "the clock was set back");
        checks.forget(&digest);
        assert!(!checks.counts(&digest, at(1)));
    }
}
