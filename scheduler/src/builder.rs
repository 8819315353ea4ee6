//! A plan in the making: it hands each step the State as it will be, and applies what the step proposes.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use model::limits::{Batches, Weight};
use model::{Change, RowKey, ServiceId, State, Timestamp};

use crate::assessment::Assessment;
use crate::ids::Ids;
use crate::proposals::Proposals;
use crate::room::Room;
use crate::situation::Situation;

/// What should be done next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order; each is valid alone once those before it are applied, and small enough for one commit. Each is made of
    /// groups of Changes that go together or not at all.
    pub batches: Vec<Vec<Vec<Change>>>,
    /// When to plan again even if nothing has changed by then: a deadline, a back-off, a lease.
    pub wake_at: Option<Timestamp>,
}

/// A step that looks at everything.
pub(crate) type Step = fn(&Situation<'_>) -> Proposals;

/// A step that looks at one service.
pub(crate) type ServiceStep = fn(&Situation<'_>, ServiceId) -> Proposals;

/// The plan so far.
#[derive(Debug)]
pub(crate) struct PlanBuilder<'a> {
    facts: &'a Assessment<'a>,
    /// With everything proposed so far applied.
    state: State,
    /// Reckoned when a step first asks for it, and kept in step with State from then on.
    room: OnceCell<Room>,
    ids: Ids,
    batches: Batches,
    wake_at: Option<Timestamp>,
}

impl<'a> PlanBuilder<'a> {
    pub(crate) fn new(facts: &'a Assessment<'a>, ids: Ids) -> Self {
        Self {
            facts,
            state: facts.inputs.state.clone(),
            room: OnceCell::new(),
            ids,
            batches: Batches::default(),
            wake_at: facts.changes_at,
        }
    }

    /// Takes one step.
    pub(crate) fn step(self, step: Step) -> Self {
        let proposals = step(&self.situation());
        self.take(proposals)
    }

    /// Takes one step for a service.
    pub(crate) fn step_of(self, service: ServiceId, step: ServiceStep) -> Self {
        let proposals = step(&self.situation(), service);
        self.take(proposals)
    }

    pub(crate) fn finish(self) -> Plan {
        Plan { batches: self.batches.into_groups(), wake_at: self.wake_at }
    }

    fn situation(&self) -> Situation<'_> {
        Situation { facts: self.facts, state: &self.state, ids: self.ids, room: &self.room }
    }

    fn take(mut self, proposals: Proposals) -> Self {
        self.ids = self.ids.after(proposals.count());
        let wakes = proposals.wakes.into_iter().filter(|at| *at > self.facts.inputs.now);
        self.wake_at = wakes.chain(self.wake_at).min();
        let touched: BTreeSet<_> =
            proposals.groups.into_iter().flat_map(|group| self.apply(group)).collect();
        self.keep_room_in_step(&touched);
        self
    }

    /// Applies Changes that share a batch; gives the rows that they touch.
    fn apply(&mut self, group: Vec<Change>) -> BTreeSet<RowKey> {
        match self.state.apply_all(&group, self.facts.inputs.now) {
            Ok(touched) if touched.is_empty() => BTreeSet::new(),
            Ok(touched) => {
                self.batches.push(group, Weight::of(&self.state, &touched));
                touched.rows
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a change that would be refused is not proposed");
                BTreeSet::new()
            }
        }
    }

    /// Whatever gives out room moves the cursors of its instance.
    fn keep_room_in_step(&mut self, touched: &BTreeSet<RowKey>) {
        let Some(room) = self.room.get_mut() else { return };
        for row in touched {
            if let RowKey::Instance(id) = row {
                room.refresh(&self.state, self.facts, *id);
            }
        }
    }
}
