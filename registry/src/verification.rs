//! Reads every blob that a row names, slowly, and finds those whose file is gone or does not hold what was pushed any more.
//! Where it is lies in a file, so a server that ends in between goes on with it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::{Digest, RepositoryName, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub(crate) mod run;

/// How far a verification of all blobs is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended; None while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Blobs there are, as of its start.
    pub blobs: u64,
    /// Blobs that were read.
    pub checked: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that are damaged.
    pub damaged: u64,
    /// The first of them.
    pub listed: Vec<DamagedBlob>,
    /// The key of the last row that was looked at.
    after: Option<String>,
}

/// A blob that a push would heal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DamagedBlob {
    /// Its digest.
    pub digest: Digest,
    /// The repositories that show it.
    pub repositories: Vec<RepositoryName>,
}

/// The verification that goes on, or the last one.
#[derive(Debug)]
pub(crate) struct Verifying {
    path: PathBuf,
    state: Mutex<Option<Verification>>,
    begun: Notify,
}

impl Verifying {
    /// With what an earlier life has written down; what cannot be read counts as none.
    pub(crate) fn open(dir: &Path) -> Self {
        let path = dir.join("verification.json");
        let known = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, state: Mutex::new(known), begun: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, Option<Verification>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is; None if there was none yet.
    pub(crate) fn get(&self) -> Option<Verification> {
        self.state().clone()
    }

    fn set(&self, verification: Verification) {
        *self.state() = Some(verification);
    }

    /// One that was begun and has not ended.
    fn open_one(&self) -> Option<Verification> {
        self.get().filter(|known| known.ended_at.is_none())
    }

    fn write(&self) -> io::Result<()> {
        let text = serde_json::to_vec(&*self.state())?;
        disk::write(&self.path, &text, 0o600)
    }
}
