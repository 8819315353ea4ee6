//! The embedded engine: redb, one file. A commit is one redb transaction with `Durability::Immediate`, so however many
//! batches it holds, it costs one `fsync`.
//!
//! Quick repair stays off: it would double the `fsync`s of every commit to make the opening after a crash faster, and that
//! opening reads a file of some MiB. After an I/O error redb answers every later call with an error; so does this engine,
//! until it is opened again.

use std::fmt;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::Epoch;
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, StorageBackend};

use super::ring::Ring;
use super::{Committed, Kv, KvError, Pair, Range, Watch, Write, bounds, check_bounds, is_empty};

mod copy;
mod file;
mod tables;

use file::ReservedFile;
use tables::{META, PAIRS, failed};

const EPOCH: &str = "epoch";
const REVISION: &str = "revision";
/// Commits that watches may fall behind.
const RING: usize = 10_000;
/// Memory for pages.
const CACHE_BYTES: usize = 16 << 20;

/// The engine.
#[derive(Clone)]
pub struct RedbKv {
    database: Arc<Database>,
    /// Its file, where it has one.
    path: Option<PathBuf>,
    /// Held from before a commit until it is in the ring, so that watches see commits in the order of the disk.
    committing: Arc<Mutex<()>>,
    ring: Ring,
}

impl fmt::Debug for RedbKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbKv").finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

impl RedbKv {
    /// Opens the file, or makes it. A new one is made beside and gets its name when it is whole: redb refuses a file that
    /// it was interrupted in making.
    pub fn open(path: &Path) -> Result<Self, KvError> {
        if !path.try_exists().map_err(failed)? {
            let beside = path.with_extension("new");
            if beside.try_exists().map_err(failed)? {
                std::fs::remove_file(&beside).map_err(failed)?;
            }
            drop(Self::on(builder().create(&beside).map_err(failed)?)?);
            disk::rename(&beside, path).map_err(failed)?;
        }
        // Also of a store that was made when its directory alone kept others out.
        std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        let file = ReservedFile::open(path)?;
        let store = Self::on(builder().create_with_backend(file).map_err(failed)?)?;
        Ok(Self { path: Some(path.to_owned()), ..store })
    }

    /// On another storage than a file: for tests of crashes and faults.
    pub fn on_backend(backend: impl StorageBackend) -> Result<Self, KvError> {
        Self::on(builder().create_with_backend(backend).map_err(failed)?)
    }

    fn on(database: Database) -> Result<Self, KvError> {
        let write = database.begin_write().map_err(failed)?;
        write.open_table(PAIRS).map_err(failed)?;
        let revision = {
            let meta = write.open_table(META).map_err(failed)?;
            meta.get(REVISION).map_err(failed)?.map_or(0, |value| value.value())
        };
        write.commit().map_err(failed)?;
        let ring = Ring::new(revision, RING);
        Ok(Self { database: Arc::new(database), path: None, committing: Arc::default(), ring })
    }

    fn campaign_now(&self) -> Result<Epoch, KvError> {
        let write = self.database.begin_write().map_err(failed)?;
        let epoch = {
            let mut meta = write.open_table(META).map_err(failed)?;
            let epoch = meta.get(EPOCH).map_err(failed)?.map_or(0, |value| value.value()) + 1;
            meta.insert(EPOCH, epoch).map_err(failed)?;
            epoch
        };
        write.commit().map_err(failed)?;
        Ok(Epoch(epoch))
    }

    fn get_now(&self, key: &[u8]) -> Result<Option<Vec<u8>>, KvError> {
        let read = self.database.begin_read().map_err(failed)?;
        let pairs = read.open_table(PAIRS).map_err(failed)?;
        Ok(pairs.get(key).map_err(failed)?.map(|value| value.value().to_vec()))
    }

    fn range_now(&self, range: &Range) -> Result<Vec<Pair>, KvError> {
        let bounds = bounds(range);
        if is_empty(&bounds) {
            return Ok(Vec::new());
        }
        let read = self.database.begin_read().map_err(failed)?;
        let pairs = read.open_table(PAIRS).map_err(failed)?;
        let bounds = (bounds.0.as_ref().map(Vec::as_slice), bounds.1.as_ref().map(Vec::as_slice));
        let mut found = pairs.range::<&[u8]>(bounds).map_err(failed)?;
        let mut taken = Vec::new();
        while taken.len() < range.limit {
            let next = if range.reverse { found.next_back() } else { found.next() };
            let Some(pair) = next else { break };
            let (key, value) = pair.map_err(failed)?;
            taken.push((key.value().to_vec(), value.value().to_vec()));
        }
        Ok(taken)
    }

    fn commit_now(&self, epoch: Epoch, batches: Vec<Vec<Write>>) -> Result<u64, KvError> {
        for batch in &batches {
            check_bounds(batch)?;
        }
        let _committing = self.committing.lock().unwrap_or_else(PoisonError::into_inner);
        let write = self.database.begin_write().map_err(failed)?;
        let mut commits = Vec::with_capacity(batches.len());
        let mut revision;
        {
            let mut meta = write.open_table(META).map_err(failed)?;
            let leads = meta.get(EPOCH).map_err(failed)?.map_or(0, |value| value.value());
            if leads != epoch.0 {
                return Err(KvError::LostLeadership { held: epoch });
            }
            revision = meta.get(REVISION).map_err(failed)?.map_or(0, |value| value.value());
            let mut pairs = write.open_table(PAIRS).map_err(failed)?;
            for writes in batches {
                revision += 1;
                for write in &writes {
                    match write {
                        Write::Put { key, value } => {
                            pairs.insert(key.as_slice(), value.as_slice()).map_err(failed)?;
                        }
                        Write::Delete { key } => {
                            pairs.remove(key.as_slice()).map_err(failed)?;
                        }
                    }
                }
                commits.push(Committed { revision, writes });
            }
            meta.insert(REVISION, revision).map_err(failed)?;
        }
        write.commit().map_err(failed)?;
        self.ring.push(commits);
        Ok(revision)
    }

    /// Runs what may wait for the disk on a thread for such work.
    fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, KvError> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, KvError>> {
        let kv = self.clone();
        async move {
            let done = tokio::task::spawn_blocking(move || work(&kv)).await;
            done.unwrap_or_else(|error| Err(KvError::Failed(error.to_string())))
        }
        .boxed()
    }
}

impl Kv for RedbKv {
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>> {
        self.blocking(Self::campaign_now)
    }

    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>> {
        self.blocking(move |kv| kv.get_now(&key))
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>> {
        self.blocking(move |kv| kv.range_now(&range))
    }

    fn commit(
        &self,
        epoch: Epoch,
        batches: Vec<Vec<Write>>,
    ) -> BoxFuture<'_, Result<u64, KvError>> {
        self.blocking(move |kv| kv.commit_now(epoch, batches))
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        futures_util::future::ready(Ok(self.ring.last())).boxed()
    }

    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        let name = name.to_owned();
        self.blocking(move |kv| {
            let path = kv.path.as_ref();
            path.map(|path| copy::keep(&kv.database, path, &name)).transpose()
        })
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        futures_util::future::ready(self.ring.watch(from)).boxed()
    }
}
