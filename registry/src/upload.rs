//! Open uploads: each belongs to one repository and one principal, and is unknown to any other. They are in memory beside
//! their files; a restart ends them, and clients start again. Only acknowledged bytes count: a chunk that fails leaves the
//! upload as it was before, and a stream that is cut leaves what came of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Principal, RepositoryName, Timestamp};
use sha2::Sha256;

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::route::UploadId;

pub(crate) mod receive;
pub(crate) mod serve;

/// How long an upload may be idle.
const IDLE: Duration = Duration::from_hours(1);
/// How long it may be idle while the number of uploads is at its limit: killed clients lock others out no longer than this.
const IDLE_IF_FULL: Duration = Duration::from_mins(1);
/// How long it may be idle while pushes are refused for want of room: longer than a client is between two chunks.
const IDLE_IF_NO_ROOM: Duration = Duration::from_secs(10);
/// Uploads that one principal may have open.
const MOST_PER_PRINCIPAL: usize = 256;
/// Uploads that may be open in all.
const MOST: usize = 1_024;

/// An upload that is open.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    pub(crate) repository: RepositoryName,
    pub(crate) principal: Principal,
    /// Acknowledged bytes: the same as in `progress`, readable without its lock.
    acknowledged: AtomicU64,
    touched_millis: AtomicI64,
    /// Held by the one request that writes.
    progress: Arc<tokio::sync::Mutex<Progress>>,
}

/// The acknowledged state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    pub(crate) length: u64,
    pub(crate) sha256: Sha256,
}

impl Upload {
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Acquire)
    }

    fn touch(&self, now: Timestamp) {
        self.touched_millis.store(now.as_millis(), Ordering::Release);
    }

    fn is_idle(&self, since: Duration, now: Timestamp) -> bool {
        let touched = Timestamp::from_millis(self.touched_millis.load(Ordering::Acquire));
        now.since(touched) >= since && self.progress.try_lock().is_ok()
    }
}

/// All open uploads.
#[derive(Debug, Default)]
pub(crate) struct Uploads(Mutex<HashMap<UploadId, Arc<Upload>>>);

impl Uploads {
    fn open(&self) -> MutexGuard<'_, HashMap<UploadId, Arc<Upload>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends uploads that were idle for too long and returns them, so that their files can be removed.
    pub(crate) fn end_idle(&self, principal: &Principal, now: Timestamp) -> Vec<UploadId> {
        let mut open = self.open();
        let mut ended: Vec<_> =
            open.extract_if(|_, upload| upload.is_idle(IDLE, now)).map(|(id, _)| id).collect();
        if is_full(&open, principal) {
            // A principal at its own limit loses its own idle uploads; at the limit of all every principal does.
            let is_full_for_all = open.len() >= MOST;
            let is_over = |upload: &Upload| {
                (is_full_for_all || upload.principal == *principal)
                    && upload.is_idle(IDLE_IF_FULL, now)
            };
            ended.extend(open.extract_if(|_, upload| is_over(upload)).map(|(id, _)| id));
        }
        ended
    }

    /// Ends all that were idle for too long, whoever began them; `soon` where the disk has no room for others.
    pub(crate) fn end_all_idle(&self, soon: bool, now: Timestamp) -> Vec<UploadId> {
        let longest = if soon { IDLE_IF_NO_ROOM } else { IDLE };
        let mut open = self.open();
        let idle = open.extract_if(|_, upload| upload.is_idle(longest, now));
        idle.map(|(id, _)| id).collect()
    }

    /// Opens one.
    pub(crate) fn start(
        &self,
        repository: &RepositoryName,
        principal: &Principal,
        now: Timestamp,
    ) -> Result<Arc<Upload>, RegistryError> {
        let mut open = self.open();
        if is_full(&open, principal) {
            return Err(ErrorKind::TooManyUploads.into());
        }
        let upload = Arc::new(Upload {
            id: UploadId::random(),
            repository: repository.clone(),
            principal: principal.clone(),
            acknowledged: AtomicU64::new(0),
            touched_millis: AtomicI64::new(now.as_millis()),
            progress: Arc::default(),
        });
        open.insert(upload.id, Arc::clone(&upload));
        Ok(upload)
    }

    /// The principal's upload in this repository.
    pub(crate) fn find(
        &self,
        id: UploadId,
        repository: &RepositoryName,
        principal: &Principal,
    ) -> Result<Arc<Upload>, RegistryError> {
        let open = self.open();
        let upload = open
            .get(&id)
            .filter(|upload| upload.repository == *repository && upload.principal == *principal);
        upload.map(Arc::clone).ok_or_else(|| RegistryError::from(ErrorKind::UploadUnknown))
    }

    pub(crate) fn end(&self, id: UploadId) {
        self.open().remove(&id);
    }
}

/// Whether a principal may open no more.
fn is_full(open: &HashMap<UploadId, Arc<Upload>>, principal: &Principal) -> bool {
    let own = open.values().filter(|upload| upload.principal == *principal).count();
    open.len() >= MOST || own >= MOST_PER_PRINCIPAL
}
