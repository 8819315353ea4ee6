//! The one way from a request to a commit: authorised twice, remembered with what it changes, decided again when somebody
//! else was faster, and answered from what was committed.

use std::fmt;
use std::sync::Arc;

use access::Resource;
use api::RegistryDisk;
use futures_util::future::{BoxFuture, join_all};
use model::{
    AuditOutcome, Batch, Change, Clock, CommitError, History, HistoryPlace, HistoryQuery, Observed,
    Precondition, Refusal, RowGuard, RowWrite, State, Timestamp, Unmet,
};

use crate::audit::{self, Denials};
use crate::context::Past;
use crate::operation::Effect;
use crate::request::decide;
use crate::{Caller, Context, Operation, Permission, Refused, Request, Setup, View};

/// How often a request is decided before it is given up because somebody else is faster each time.
const MOST_ATTEMPTS: u32 = 64;

/// What control needs of the server around it.
pub trait Backend: Send + Sync {
    /// The State that was published last.
    fn state(&self) -> State;

    /// What peers report.
    fn observed(&self) -> Observed;

    /// The port of the local router; zero while it is not known.
    fn router_port(&self) -> u16;

    /// Whether the server is ready.
    fn is_ready(&self) -> bool;

    /// The disk of the registry, once it was measured.
    fn registry_disk(&self) -> Option<RegistryDisk> {
        None
    }

    /// Commits a batch; the answer is State as the batch left it, once that is on disk and published. A refusal too is
    /// answered only once what it relies on is published.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<State, CommitError>>;

    /// What happened, newest first; the error is a sentence for people.
    fn history(
        &self,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<(HistoryPlace, History)>, String>>;
}

/// Does what people and their programs ask for. It alone holds what commits for them; clones share it.
#[derive(Clone)]
pub struct Control {
    backend: Arc<dyn Backend>,
    clock: Arc<dyn Clock>,
    setup: Arc<Setup>,
    /// Fills bytes with random ones.
    fill: fn(&mut [u8]),
    denials: Arc<Denials>,
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// What a room has decided by itself, on what it alone can see: files and rows of the registry.
#[derive(Debug, Clone)]
pub struct Write {
    /// Which row of the table it is.
    pub operation: Operation,
    /// What it is about.
    pub resource: Resource,
    /// When it was decided.
    pub at: Timestamp,
    /// Changes of State.
    pub changes: Vec<Change>,
    /// Rows beside State.
    pub rows: Vec<RowWrite>,
    /// What must hold of rows beside State.
    pub guards: Vec<RowGuard>,
    /// What it takes beside the operation's own action.
    pub also: Vec<Permission>,
    /// What it takes for granted of State.
    pub precondition: Option<Precondition>,
    /// Whether another batch of the same request remembers it: the first that anybody sees, or the only one.
    pub is_part: bool,
}

impl Write {
    /// One that changes nothing yet.
    pub fn new(operation: Operation, resource: Resource, at: Timestamp) -> Self {
        let (changes, rows, guards) = (Vec::new(), Vec::new(), Vec::new());
        let (also, is_part) = (Vec::new(), false);
        let precondition = None;
        Self { operation, resource, at, changes, rows, guards, also, precondition, is_part }
    }
}

impl Control {
    /// On a backend. `fill` fills bytes with random ones.
    pub fn new(
        backend: Arc<dyn Backend>,
        clock: Arc<dyn Clock>,
        setup: Setup,
        fill: fn(&mut [u8]),
    ) -> Self {
        Self { backend, clock, setup: Arc::new(setup), fill, denials: Arc::default() }
    }

    /// What does not change while the server runs.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The State that was published last.
    pub fn state(&self) -> State {
        self.backend.state()
    }

    /// Whether somebody may do an operation on any resource at all: who may not is denied before their request is looked
    /// at.
    pub async fn admit(&self, caller: &Caller, operation: Operation) -> Result<(), Refused> {
        let (action, resource) = (operation.action(), Resource::any(operation.kind()));
        let (state, now) = (self.backend.state(), self.clock.now());
        match caller.check(&state, &[Permission { action, resource }], now) {
            Ok(()) => Ok(()),
            Err(unmet) => {
                self.remember_denial(caller, operation, &unmet).await;
                Err(unmet.into())
            }
        }
    }

    /// Does what is asked for. What is answered is on disk.
    pub async fn execute<R: Request>(
        &self,
        caller: &Caller,
        request: &R,
    ) -> Result<R::Answer, Refused> {
        let mut remembered = false;
        for _ in 0..MOST_ATTEMPTS {
            match self.attempt(caller, request, &mut remembered).await {
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => {}
                Err(Refused::Unmet(unmet)) => {
                    self.remember_denial(caller, R::OPERATION, &unmet).await;
                    return Err(Refused::Unmet(as_named(request, unmet)));
                }
                Err(refused) => return Err(refused),
            }
        }
        Err(Refused::Contended)
    }

    /// Decides once, and commits it; None where somebody else was faster. `remembered` says whether who asked is remembered.
    async fn attempt<R: Request>(
        &self,
        caller: &Caller,
        request: &R,
        remembered: &mut bool,
    ) -> Result<Option<R::Answer>, Refused> {
        let (state, observed, now) =
            (self.backend.state(), self.backend.observed(), self.clock.now());
        let reads = R::OPERATION.entry().effect == Effect::Reads;
        let past = if reads || R::DECIDES_ON_HISTORY {
            self.past(request, &state).await?
        } else {
            Past::default()
        };
        let view = self.view(caller, &state, &observed, &past, now);
        let (permissions, decision) = decide(&Context { view, fill: &self.fill }, request)?;
        if reads {
            return (decision.answer)(&view).map(Some);
        }
        if decision.each.is_empty() {
            // What does not fit the State that it was decided on is refused for that, however busy the writer is.
            state.clone().apply_all(&decision.changes, now).map_err(CommitError::Refused)?;
        }
        let resource = resource_of(&permissions);
        let event = audit::event(caller, R::OPERATION, resource, AuditOutcome::Succeeded, now);
        let mut history: Vec<History> = event.into_iter().filter(|_| !*remembered).collect();
        let precondition = precondition(caller, permissions, request.precondition(), now);
        if !decision.each.is_empty() {
            // Who asked is remembered before the first of several commits: the others may not come to be.
            self.commit_each(decision.each, std::mem::take(&mut history), &precondition, now)
                .await?;
            *remembered = true;
        }
        let batch = Batch {
            history,
            rows: decision.rows,
            guards: decision.guards,
            precondition: Some(precondition),
            ..Batch::of(decision.changes, now)
        };
        let committed = match self.backend.commit(batch).await {
            Ok(committed) => committed,
            Err(error) if self.is_lost_race(&error, &state) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // It is done by now: what history does not tell is left out of the answer.
        let past = self.past(request, &committed).await.unwrap_or(past);
        (decision.answer)(&self.view(caller, &committed, &observed, &past, now)).map(Some)
    }

    /// Whether a decision on what has changed since may fare better.
    fn is_lost_race(&self, error: &CommitError, decided_on: &State) -> bool {
        let depends_on_state = match error {
            CommitError::Refused(_) | CommitError::GuardFailed { .. } => true,
            CommitError::Unmet(_) | CommitError::TooLarge(_) | CommitError::Unavailable(_) => false,
        };
        depends_on_state && self.backend.state().revision() != decided_on.revision()
    }

    fn view<'a>(
        &'a self,
        caller: &'a Caller,
        state: &'a State,
        observed: &'a Observed,
        past: &'a Past,
        now: Timestamp,
    ) -> View<'a> {
        let (router_port, is_ready) = (self.backend.router_port(), self.backend.is_ready());
        let registry_disk = self.backend.registry_disk();
        let setup = &self.setup;
        View { caller, state, observed, past, setup, router_port, is_ready, registry_disk, now }
    }

    /// The history that the request asks for.
    async fn past<R: Request>(&self, request: &R, state: &State) -> Result<Past, Refused> {
        let mut past = Past::default();
        while let Some(query) = request.history(state, &past) {
            let rows = self.backend.history(query).await.map_err(Refused::HistoryUnreadable)?;
            past.is_complete = rows.len() < query.limit;
            past.rows.extend(rows);
            if past.is_complete {
                break;
            }
        }
        Ok(past)
    }

    /// Commits changes that do not need each other, behind who asked for them. All are handed in at once, so they share few
    /// commits.
    async fn commit_each(
        &self,
        changes: Vec<Change>,
        history: Vec<History>,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<(), CommitError> {
        if !history.is_empty() {
            let precondition = Some(precondition.clone());
            let batch = Batch { history, precondition, ..Batch::of(Vec::new(), now) };
            self.backend.commit(batch).await?;
        }
        let commits = changes.into_iter().map(|change| {
            let precondition = Some(precondition.clone());
            self.backend.commit(Batch { precondition, ..Batch::of(vec![change], now) })
        });
        for result in join_all(commits).await {
            match result {
                Ok(_) | Err(CommitError::Refused(Refusal::NotFound { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Commits what another room has decided: once, since only that room can decide it again.
    pub async fn commit(&self, caller: &Caller, write: Write) -> Result<State, CommitError> {
        let Write { operation, resource, at, changes, rows, guards, also, .. } = write;
        let (is_part, granted) = (write.is_part, write.precondition);
        let (shown, done) = (resource.to_string(), AuditOutcome::Succeeded);
        let event = audit::event(caller, operation, shown, done, at).filter(|_| !is_part);
        let mut permissions = vec![Permission { action: operation.action(), resource }];
        permissions.extend(also);
        let batch = Batch {
            history: event.into_iter().collect(),
            rows,
            guards,
            precondition: Some(precondition(caller, permissions, granted, self.clock.now())),
            ..Batch::of(changes, at)
        };
        let committed = self.backend.commit(batch).await;
        if let Err(CommitError::Unmet(unmet)) = &committed {
            self.remember_denial(caller, operation, unmet).await;
        }
        committed
    }

    /// Remembers that somebody asked for what they may not. Where it cannot be written, the denial stands all the same.
    async fn remember_denial(&self, caller: &Caller, operation: Operation, unmet: &Unmet) {
        let (now, denied) = (self.clock.now(), AuditOutcome::Denied);
        let Unmet::Denied { resource, .. } = unmet else { return };
        let Some(event) = audit::event(caller, operation, resource.clone(), denied, now) else {
            return;
        };
        if self.denials.admits(now) {
            let batch = Batch { history: vec![event], ..Batch::of(Vec::new(), now) };
            drop(self.backend.commit(batch).await);
        }
    }
}

/// A denial that tells of no entity more than the request does, not even whether there is one.
fn as_named<R: Request>(request: &R, unmet: Unmet) -> Unmet {
    match (request.named(), unmet) {
        (Some(named), Unmet::Denied { principal, action, resource })
            if resource.split('/').next() == Some(named.kind.as_str()) =>
        {
            Unmet::Denied { principal, action, resource: named.to_string() }
        }
        (_, unmet) => unmet,
    }
}

/// What an operation is about, as its permissions name it.
fn resource_of(permissions: &[Permission]) -> String {
    permissions.first().map(|one| one.resource.to_string()).unwrap_or_default()
}

/// What the writer asks once more: whether who asks may, and whether what they take for granted holds.
fn precondition(
    caller: &Caller,
    permissions: Vec<Permission>,
    other: Option<Precondition>,
    now: Timestamp,
) -> Precondition {
    let caller = caller.clone();
    Precondition::new(move |state| {
        caller.check(state, &permissions, now)?;
        other.as_ref().map_or(Ok(()), |other| other.check(state))
    })
}
