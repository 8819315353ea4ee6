//! Durable truth: what was answered as committed is on disk, and what was not is wholly there or not at all.
//!
//! [`Store`] is the only writer. Callers' batches wait in one queue; the writer takes what waits, applies each to its own
//! view of State, and commits all of them with one `fsync`. Only then are the callers answered and the new State
//! published. The price is that a batch may wait for the `fsync` before its own, and that a reader may see a State that is
//! one commit old.

use std::path::Path;
use std::sync::Arc;

use model::{
    Batch, Change, CommitError, Epoch, History, HistoryPlace, HistoryQuery, State, StateRevision,
    Timestamp,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::format::FILE;
use crate::kv::Kv;
use crate::kv::memory::MemoryKv;
use crate::kv::redb::RedbKv;
use crate::writer::{Queue, Request, Writer};

mod counts;
mod format;
mod history;
mod key;
pub mod kv;
mod lead;
mod migration;
mod open_error;
mod reader;
mod writer;

#[cfg(test)]
mod crash;
#[cfg(test)]
mod tests;

pub use history::HistoryLimits;
pub use open_error::OpenError;
pub use reader::{ReadError, Reader};

/// Batches that may wait for the writer; more wait for a place in the queue.
const QUEUE: usize = 1_024;

/// The durable truth; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    reader: Reader,
    requests: mpsc::Sender<Request>,
    closing: Arc<Notify>,
    failed: watch::Receiver<Option<String>>,
}

impl Store {
    /// Opens the store in `dir`, or makes it, and takes the lead under a new epoch.
    /// One of an older format is upgraded first, and kept as it was in a copy beside it.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let path = dir.display().to_string();
        let kv = RedbKv::open(&dir.join(FILE))
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
        Ok(Self { reader: handles.reader, requests, closing, failed: handles.failed })
    }

    /// The half that only reads, for whoever must not commit.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Which life of the control plane this is.
    pub fn epoch(&self) -> Epoch {
        self.reader.epoch()
    }

    /// The state that was published last.
    pub fn state(&self) -> State {
        self.reader.state()
    }

    /// Every state that is published from now on; the newest is always there.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.reader.watch()
    }

    /// Commits a batch. The answer is State as the batch leaves it; one that touches nothing writes nothing. A refusal too is
    /// answered only once what it relies on is published.
    pub async fn commit(&self, batch: Batch) -> Result<State, CommitError> {
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
        Ok(self.commit(Batch::of(changes, at)).await?.revision())
    }

    /// A row beside State.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        self.reader.get(key).await
    }

    /// Rows beside State whose key begins with `prefix`, in key order, behind `after`.
    pub async fn range(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        self.reader.range(prefix, after, limit).await
    }

    /// What happened, newest first.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<History>, ReadError> {
        self.reader.history(query).await
    }

    /// What happened, newest first, each row with the place that the next page can begin behind.
    pub async fn history_page(
        &self,
        query: HistoryQuery,
    ) -> Result<Vec<(HistoryPlace, History)>, ReadError> {
        self.reader.history_page(query).await
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
        let Self { reader, requests: _, closing, failed: _ } = self;
        let mut state = reader.watch();
        drop(reader);
        closing.notify_one();
        // The writer drops its end when it ends.
        while state.changed().await.is_ok() {}
    }
}
