//! A request and what becomes of it: a pure decision, and the answer that is formed once it is committed.

use std::fmt;

use access::Resource;
use model::{Change, HistoryQuery, Precondition, RowGuard, RowWrite, State};

use crate::context::Past;
use crate::{Context, Operation, Permission, Refused, View};

/// Something that somebody asks for.
pub trait Request: Sync {
    /// Which row of the table it is.
    const OPERATION: Operation;
    /// Whether a change is decided on history, not only answered with it.
    const DECIDES_ON_HISTORY: bool = false;
    /// What they get.
    type Answer: Send;

    /// What it is about, as far as State knows it.
    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused>;

    /// What it is about as the request itself says it, where State tells more: who is denied learns no more than they said.
    fn named(&self) -> Option<Resource> {
        None
    }

    /// All that it takes: the operation's action on what it is about, unless it needs more.
    fn permissions(&self, view: &View<'_>) -> Result<Vec<Permission>, Refused> {
        let resource = self.resource(view)?;
        Ok(vec![Permission { action: Self::OPERATION.action(), resource }])
    }

    /// Which history to read, behind what was read already, for the answer.
    fn history(&self, _state: &State, _past: &Past) -> Option<HistoryQuery> {
        None
    }

    /// What it takes for granted of State, beside that who asks may.
    fn precondition(&self) -> Option<Precondition> {
        None
    }

    /// What is to be done, by somebody who may.
    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused>;
}

/// Forms an answer from State as it was committed.
type Answer<'r, A> = Box<dyn FnOnce(&View<'_>) -> Result<A, Refused> + Send + 'r>;

/// What becomes of a request.
pub struct Decision<'r, A> {
    /// Changes that do not need each other, however many: each is committed by itself, before all else, and one whose
    /// entity has gone by then is passed over.
    pub each: Vec<Change>,
    /// Changes that are made at once or not at all.
    pub changes: Vec<Change>,
    /// Rows beside State, in the same batch.
    pub rows: Vec<RowWrite>,
    /// What must hold of rows beside State.
    pub guards: Vec<RowGuard>,
    /// Forms the answer.
    pub answer: Answer<'r, A>,
}

impl<'r, A> Decision<'r, A> {
    /// Nothing to do: the answer is what is there.
    pub fn read(answer: impl FnOnce(&View<'_>) -> Result<A, Refused> + Send + 'r) -> Self {
        Self::change(Vec::new(), answer)
    }

    /// Changes of State alone.
    pub fn change(
        changes: Vec<Change>,
        answer: impl FnOnce(&View<'_>) -> Result<A, Refused> + Send + 'r,
    ) -> Self {
        Self {
            each: Vec::new(),
            changes,
            rows: Vec::new(),
            guards: Vec::new(),
            answer: Box::new(answer),
        }
    }
}

impl<A> fmt::Debug for Decision<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { each, changes, rows, guards, answer: _ } = self;
        let mut shown = f.debug_struct("Decision");
        shown.field("each", each).field("changes", changes);
        shown.field("rows", rows).field("guards", guards).finish_non_exhaustive()
    }
}

/// What is to be done for a request, without doing it: who asks may, what they take for granted holds, and this is what it
/// comes to, with the permissions that it takes.
pub fn decide<'r, R: Request>(
    context: &Context<'_>,
    request: &'r R,
) -> Result<(Vec<Permission>, Decision<'r, R::Answer>), Refused> {
    let view = &context.view;
    let permissions = request.permissions(view)?;
    view.caller.check(view.state, &permissions, view.now)?;
    if let Some(precondition) = request.precondition() {
        precondition.check(view.state)?;
    }
    Ok((permissions, request.decide(context)?))
}
