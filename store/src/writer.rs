//! The one writer: takes what waits, applies it in order to its own view, commits it with one `fsync`, then answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::limits::BATCH_ROWS;
use model::{
    Batch, CommitError, Epoch, RowGuard, RowWrite, State, StateRevision, Timestamp, Touched,
};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::format::Format;
use crate::history::{HistoryLimits, LogRows};
use crate::kv::{Kv, KvError, Range, Write, check_bounds};
use crate::migration::Pace;
use crate::{OpenError, Reader, history, key, lead};

/// Batches in one commit at most.
const GROUP: usize = 1_000;
/// Commits between two looks at how much history there is.
const COMMITS_PER_PRUNE: u64 = 64;

/// Where the answer to a batch goes: State as the batch left it.
type Answer = oneshot::Sender<Result<State, CommitError>>;

/// A batch and who waits for it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) answer: Answer,
}

/// What the writer shares with its callers.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) reader: Reader,
    pub(crate) failed: watch::Receiver<Option<String>>,
}

/// The writer's own view.
#[derive(Debug)]
pub(crate) struct Writer {
    kv: Arc<dyn Kv>,
    epoch: Epoch,
    state: State,
    published: watch::Sender<State>,
    failed: watch::Sender<Option<String>>,
    limits: HistoryLimits,
    history_rows: LogRows,
    history_number: u64,
    commits: u64,
    /// Whether the format is still to be written down, with the first commit of a new store.
    format_is_new: bool,
}

/// Batches of one commit: what is applied and not on disk yet.
#[derive(Debug, Default)]
struct Group {
    writes: Vec<Vec<Write>>,
    /// Rows beside State as the batches of this group leave them: present or not.
    rows: BTreeMap<Vec<u8>, bool>,
    /// What to answer once the group is on disk and published. That goes for refusals too: they rely on the batches before
    /// them, and who decides again must see those.
    answers: Vec<(Answer, Result<State, CommitError>)>,
    history_rows: LogRows,
    last_at: Timestamp,
}

impl Writer {
    /// Takes the lead and reads State.
    pub(crate) async fn open(
        kv: Arc<dyn Kv>,
        path: &str,
        limits: HistoryLimits,
    ) -> Result<(Self, Handles), OpenError> {
        let engine = |source| OpenError::Engine { path: path.to_owned(), source };
        let (epoch, format_is_new) = lead::take(kv.as_ref(), path, Pace::default()).await?;
        let revision = kv.get(key::REVISION.to_vec()).await.map_err(engine)?;
        let revision =
            revision.and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
        let all =
            Range { prefix: key::STATE.to_vec(), after: None, limit: usize::MAX, reverse: false };
        let pairs = kv.range(all).await.map_err(engine)?;
        let rows: Vec<(String, Vec<u8>)> = pairs
            .into_iter()
            .map(|(key, value)| {
                (String::from_utf8_lossy(&key[key::STATE.len()..]).into_owned(), value)
            })
            .collect();
        let rows = rows.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        let state = State::from_rows(StateRevision(revision), rows)
            .map_err(|source| OpenError::Row { path: path.to_owned(), source })?;
        let history_rows = history::count(kv.as_ref()).await.map_err(engine)?;
        // Above every number of an earlier life: one life writes far fewer than 2^32 rows.
        let history_number = epoch.0 << 32;
        let (published, receiver) = watch::channel(state.clone());
        let (failed, has_failed) = watch::channel(None);
        let reader = Reader { kv: Arc::clone(&kv), epoch, state: receiver };
        let handles = Handles { reader, failed: has_failed };
        let writer = Self {
            kv,
            epoch,
            state,
            published,
            failed,
            limits,
            history_rows,
            history_number,
            commits: 0,
            format_is_new,
        };
        Ok((writer, handles))
    }

    /// Commits what comes until the queue ends or a commit fails.
    pub(crate) async fn run(mut self, mut queue: Queue) {
        let mut waiting = Vec::with_capacity(GROUP);
        while queue.take(&mut waiting).await > 0 {
            if let Err(error) = self.commit(std::mem::take(&mut waiting)).await {
                tracing::error!(%error, "the store cannot write any more");
                self.failed.send_replace(Some(error.to_string()));
                queue.refuse_all(&error).await;
                return;
            }
        }
    }

    async fn commit(&mut self, requests: Vec<Request>) -> Result<(), KvError> {
        let before = (self.state.clone(), self.history_number);
        let mut group = Group::default();
        for Request { batch, answer } in requests {
            match self.take(batch, &mut group).await {
                Ok(state) => group.answers.push((answer, Ok(state))),
                // One that does not fit holds up nobody else.
                Err(Refuse::Batch(error)) => group.answers.push((answer, Err(error))),
                Err(Refuse::Engine(error)) => {
                    let failed = CommitError::Unavailable(error.to_string());
                    drop(answer.send(Err(failed)));
                    return Err(self.undo(before, group, error));
                }
            }
        }
        if !group.writes.is_empty() {
            if let Err(error) = self.write(&mut group).await {
                return Err(self.undo(before, group, error));
            }
            if self.state.revision() != before.0.revision() {
                self.published.send_replace(self.state.clone());
            }
        }
        for (answer, outcome) in group.answers {
            // A caller that has gone does not need the answer.
            drop(answer.send(outcome));
        }
        Ok(())
    }

    /// Commits the group, and with it the removal of history that is too much, which so costs no `fsync` of its own.
    async fn write(&mut self, group: &mut Group) -> Result<(), KvError> {
        let mut writes = Vec::with_capacity(group.writes.len() + 1);
        writes.extend(self.format_is_new.then(|| vec![Format::current().write()]));
        writes.append(&mut group.writes);
        let history_rows = self.history_rows.plus(group.history_rows);
        let (gone, gone_rows) = self.prune(history_rows, group.last_at).await?;
        writes.extend(gone.chunks(BATCH_ROWS).map(<[Write]>::to_vec));
        self.kv.commit(self.epoch, writes).await?;
        self.format_is_new = false;
        self.history_rows = history_rows.minus(gone_rows);
        Ok(())
    }

    /// Nothing of the group was acknowledged, so nothing of it is published.
    fn undo(&mut self, before: (State, u64), group: Group, error: KvError) -> KvError {
        (self.state, self.history_number) = before;
        for (answer, _) in group.answers {
            drop(answer.send(Err(CommitError::Unavailable(error.to_string()))));
        }
        error
    }

    /// Applies one batch to the writer's view, and adds its writes to the group.
    async fn take(&mut self, batch: Batch, group: &mut Group) -> Result<State, Refuse> {
        let Batch { at, changes, history, rows, guards, precondition } = batch;
        self.check(&guards, group).await?;
        if let Some(precondition) = precondition {
            precondition.check(&self.state).map_err(CommitError::Unmet)?;
        }
        let mut next = self.state.clone();
        let mut touched = next.apply_all(&changes, at).map_err(CommitError::Refused)?;
        let moves = !touched.is_empty();
        touched.history.extend(history);
        if touched.is_empty() && rows.is_empty() {
            return Ok(next);
        }
        let mut writes: Vec<Write> = rows.iter().map(write_beside).collect();
        let history_rows = LogRows::of(&touched.history);
        if moves {
            next = next.at(self.state.revision().next());
        }
        if !touched.is_empty() {
            writes.extend(self.writes_of(&next, touched));
        }
        if let Err(KvError::OutOfBounds(why)) = check_bounds(&writes) {
            return Err(CommitError::TooLarge(why).into());
        }
        group.writes.push(writes);
        group.history_rows = group.history_rows.plus(history_rows);
        group.last_at = at;
        for row in rows {
            match row {
                RowWrite::Put { key, value: _ } => drop(group.rows.insert(key, true)),
                RowWrite::Delete { key } => drop(group.rows.insert(key, false)),
            }
        }
        self.state = next.clone();
        Ok(next)
    }

    fn writes_of(&mut self, next: &State, touched: Touched) -> Vec<Write> {
        let Touched { rows, history } = touched;
        let mut writes: Vec<Write> = rows
            .iter()
            .map(|row| {
                let key = key::state(row);
                match next.row(row) {
                    Some(value) => Write::Put { key, value },
                    None => Write::Delete { key },
                }
            })
            .collect();
        for row in history {
            self.history_number += 1;
            writes.extend(history::writes(&row, self.history_number));
        }
        let revision = next.revision().0.to_be_bytes().to_vec();
        writes.push(Write::Put { key: key::REVISION.to_vec(), value: revision });
        writes
    }

    /// Guards see the batches in flight: first the group's own writes, then what is on disk.
    async fn check(&self, guards: &[RowGuard], group: &Group) -> Result<(), Refuse> {
        for guard in guards {
            let (key, wanted) = match guard {
                RowGuard::Present(key) => (key, true),
                RowGuard::Absent(key) => (key, false),
            };
            let present = match group.rows.get(key) {
                Some(present) => *present,
                None => self.kv.get(key::beside(key)).await.map_err(Refuse::Engine)?.is_some(),
            };
            if present != wanted {
                return Err(CommitError::GuardFailed { key: key.clone() }.into());
            }
        }
        Ok(())
    }

    async fn prune(
        &mut self,
        rows: LogRows,
        now: Timestamp,
    ) -> Result<(Vec<Write>, LogRows), KvError> {
        self.commits += 1;
        if rows.fit(&self.limits) && !self.commits.is_multiple_of(COMMITS_PER_PRUNE) {
            return Ok((Vec::new(), LogRows::default()));
        }
        history::prune(self.kv.as_ref(), &self.limits, rows, now).await
    }
}

fn write_beside(row: &RowWrite) -> Write {
    match row {
        RowWrite::Put { key, value } => Write::Put { key: key::beside(key), value: value.clone() },
        RowWrite::Delete { key } => Write::Delete { key: key::beside(key) },
    }
}

/// Batches that wait.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Told once nothing more is to be let in.
    pub(crate) closing: Arc<Notify>,
}

impl Queue {
    /// What waits, one batch at least; zero when nothing is left and nothing more can come.
    async fn take(&mut self, waiting: &mut Vec<Request>) -> usize {
        loop {
            tokio::select! {
                () = self.closing.notified(), if !self.requests.is_closed() => self.requests.close(),
                taken = self.requests.recv_many(waiting, GROUP) => return taken,
            }
        }
    }

    /// Answers everybody who waits, and who comes, that the store cannot write.
    async fn refuse_all(mut self, error: &KvError) {
        let mut waiting = Vec::new();
        while self.take(&mut waiting).await > 0 {
            for Request { batch: _, answer } in waiting.drain(..) {
                drop(answer.send(Err(CommitError::Unavailable(error.to_string()))));
            }
        }
    }
}

/// Whose fault it is that a batch was not taken.
#[derive(Debug)]
enum Refuse {
    Batch(CommitError),
    Engine(KvError),
}

impl From<CommitError> for Refuse {
    fn from(error: CommitError) -> Self {
        Self::Batch(error)
    }
}
