//! Durable truth: what was answered as committed is on disk, and what was not is wholly there or not at all.
//!
//! [`Store`] is the only writer. Callers' batches wait in one queue; the writer takes what waits, applies each to its own
//! view of State, and commits all of them with one `fsync`. Only then are the callers answered and the new State
//! published. The price is that a batch may wait for the `fsync` before its own, and that a reader may see a State that is
//! one commit old.

use std::path::Path;
use std::sync::Arc;

use model::{Change, Epoch, History, Refusal, ServiceId, State, StateRevision, TaskId, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::kv::memory::MemoryKv;
use crate::kv::redb::RedbKv;
use crate::kv::{Kv, KvError, Range};
use crate::writer::{Queue, Request, Writer};

mod history;
mod key;
pub mod kv;
mod writer;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;

pub use history::{About, HistoryLimits, HistoryQuery};

/// Batches that may wait for the writer; more wait for a place in the queue.
const QUEUE: usize = 1_024;

/// What a caller wants to be true at once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// When it was decided.
    pub at: Timestamp,
    /// Changes of State, in order.
    pub changes: Vec<Change>,
    /// Rows beside State.
    pub rows: Vec<RowWrite>,
    /// What must hold of rows beside State for the batch to be applied.
    pub guards: Vec<RowGuard>,
}

impl Batch {
    /// A batch of changes alone.
    pub fn of(changes: Vec<Change>, at: Timestamp) -> Self {
        Self { at, changes, rows: Vec::new(), guards: Vec::new() }
    }
}

/// One row beside State, set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowWrite {
    /// Sets it.
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Removes it.
    Delete {
        /// Its key.
        key: Vec<u8>,
    },
}

/// A condition on one row beside State.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowGuard {
    /// The row is there.
    Present(Vec<u8>),
    /// The row is not there.
    Absent(Vec<u8>),
}

/// Why a batch was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A Change does not fit. Nothing of the batch was applied.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A guard does not hold. Nothing of the batch was applied.
    #[error("a row that the batch relies on has changed: `{}`", String::from_utf8_lossy(key))]
    GuardFailed {
        /// The row's key.
        key: Vec<u8>,
    },
    /// The batch touches more than one commit may. Nothing of it was applied.
    #[error("the batch cannot be committed at once: it {0}")]
    TooLarge(&'static str),
    /// The store cannot write. Whether the batch is on disk is known once the store is opened again.
    #[error("the store cannot write: {0}; see the server's log and restart it")]
    Unavailable(String),
}

/// Why the store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine cannot.
    #[error("the store in `{path}` cannot be opened")]
    Engine {
        /// Its directory.
        path: String,
        /// Why.
        #[source]
        source: KvError,
    },
    /// A row cannot be read.
    #[error("the store in `{path}` cannot be read")]
    Row {
        /// Its directory.
        path: String,
        /// Which row and why.
        #[source]
        source: model::state::RowError,
    },
}

/// Why a row could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot read")]
pub struct ReadError(#[from] KvError);

/// The durable truth; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    kv: Arc<dyn Kv>,
    epoch: Epoch,
    requests: mpsc::Sender<Request>,
    closing: Arc<Notify>,
    state: watch::Receiver<State>,
    failed: watch::Receiver<Option<String>>,
}

impl Store {
    /// Opens the store in `dir`, or makes it, and takes the lead under a new epoch.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.display().to_string();
        let kv = RedbKv::open(&dir.join("store.redb"))
            .map_err(|source| OpenError::Engine { path: path.clone(), source })?;
        Self::on(Arc::new(kv), &path, HistoryLimits::default())
    }

    /// A store that forgets all when it is dropped: for tests.
    pub fn in_memory() -> Self {
        Self::on(Arc::new(MemoryKv::new()), "memory", HistoryLimits::default())
            .expect("an empty memory engine has no row that cannot be read")
    }

    /// On any engine.
    pub fn on(kv: Arc<dyn Kv>, path: &str, limits: HistoryLimits) -> Result<Self, OpenError> {
        let (requests, waiting) = mpsc::channel(QUEUE);
        let closing = Arc::new(Notify::new());
        let queue = Queue { requests: waiting, closing: Arc::clone(&closing) };
        let path = path.to_owned();
        // A thread of its own with a runtime of its own: the store may be opened before any other runtime is there, and
        // nothing that the writer waits for holds up anybody else.
        let (opened, wait) = std::sync::mpsc::channel();
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .expect("a runtime without I/O needs nothing that could be missing");
                runtime.block_on(async {
                    match Writer::open(kv, &path, limits).await {
                        Ok((writer, handles)) => {
                            if opened.send(Ok(handles)).is_ok() {
                                writer.run(queue).await;
                            }
                        }
                        // The caller waits for this answer, so somebody is there to take it.
                        Err(error) => drop(opened.send(Err(error))),
                    }
                });
            })
            .expect("a thread can be started while the process starts");
        let handles = wait.recv().expect("the writer answers before it ends")?;
        Ok(Self {
            kv: handles.kv,
            epoch: handles.epoch,
            requests,
            closing,
            state: handles.state,
            failed: handles.failed,
        })
    }

    /// Which life of the control plane this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The state that was published last.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Every state that is published from now on; the newest is always there.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Commits a batch. The answer is the revision after it; a batch that touches nothing writes nothing.
    pub async fn commit(&self, batch: Batch) -> Result<StateRevision, CommitError> {
        let ended = || CommitError::Unavailable("the writer has ended".to_owned());
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { batch, answer }).await.ok().ok_or_else(ended)?;
        answered.await.ok().ok_or_else(ended)?
    }

    /// Commits changes alone.
    pub async fn apply(
        &self,
        changes: Vec<Change>,
        at: Timestamp,
    ) -> Result<StateRevision, CommitError> {
        self.commit(Batch::of(changes, at)).await
    }

    /// A row beside State.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.kv.get(key::beside(key)).await?)
    }

    /// Rows beside State whose key begins with `prefix`, in key order, behind `after`.
    pub async fn range(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        let after = after.map(|after| key::beside(&after));
        let range = Range { prefix: key::beside(prefix), after, limit, reverse: false };
        let pairs = self.kv.range(range).await?;
        Ok(pairs.into_iter().map(|(key, value)| (key::without_kind(&key), value)).collect())
    }

    /// What happened, newest first.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<History>, ReadError> {
        Ok(history::read(self.kv.as_ref(), &query).await?)
    }

    /// Returns when the store cannot write any more, with the reason: the process should end and be started again.
    pub async fn failed(&self) -> String {
        let mut failed = self.failed.clone();
        match failed.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the writer has ended".to_owned(),
        }
    }

    /// Lets nothing more in, through any clone, waits until all batches that were handed in are committed, and ends the
    /// writer.
    pub async fn close(self) {
        let Self { kv: _, epoch: _, requests: _, closing, mut state, failed: _ } = self;
        closing.notify_one();
        // The writer drops its end when it ends.
        while state.changed().await.is_ok() {}
    }
}

impl HistoryQuery {
    /// About one service.
    pub fn of_service(service: ServiceId, limit: usize) -> Self {
        Self { about: About::Service(service), limit }
    }

    /// About one task.
    pub fn of_task(task: TaskId) -> Self {
        Self { about: About::Task(task), limit: 1 }
    }
}
