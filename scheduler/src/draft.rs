//! A plan in the making: the state as it will be once everything proposed so far is applied.

use std::collections::BTreeSet;

use model::limits::{Batches, Weight};
use model::{Change, InstanceId, Lease, Observed, State, Timestamp};

use crate::place::Places;
use crate::{Plan, Settings, instance};

pub(crate) struct Draft<'a> {
    /// With everything proposed so far applied.
    pub(crate) state: State,
    /// As it was read, before any proposal.
    pub(crate) before: State,
    pub(crate) observed: &'a Observed,
    pub(crate) now: Timestamp,
    pub(crate) settings: &'a Settings,
    /// Instances that are given up.
    pub(crate) lost: BTreeSet<InstanceId>,
    places: Option<Places>,
    random: &'a mut dyn FnMut() -> [u8; 10],
    batches: Batches,
    wake_at: Option<Timestamp>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(
        state: &State,
        observed: &'a Observed,
        now: Timestamp,
        settings: &'a Settings,
        random: &'a mut dyn FnMut() -> [u8; 10],
    ) -> Self {
        let mut draft = Self {
            state: state.clone(),
            before: state.clone(),
            observed,
            now,
            settings,
            lost: BTreeSet::new(),
            places: None,
            random,
            batches: Batches::default(),
            wake_at: None,
        };
        draft.lost = instance::lost(&mut draft);
        draft
    }

    /// Proposes one Change; whether it will do something.
    pub(crate) fn propose(&mut self, change: impl Into<Change>) -> bool {
        self.propose_together(vec![change.into()])
    }

    /// Proposes Changes that only make sense together: they share a batch.
    pub(crate) fn propose_together(&mut self, changes: Vec<Change>) -> bool {
        match self.state.apply_all(&changes, self.now) {
            Ok(touched) if touched.is_empty() => false,
            Ok(touched) => {
                self.batches.push(changes, Weight::of(&self.state, &touched));
                true
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "a change that would be refused is not proposed");
                false
            }
        }
    }

    /// Plan again at `at`, when what was just decided may be decided otherwise.
    pub(crate) fn wake_at(&mut self, at: Timestamp) {
        if at > self.now {
            self.wake_at = Some(self.wake_at.map_or(at, |known| known.min(at)));
        }
    }

    pub(crate) fn random(&mut self) -> [u8; 10] {
        (self.random)()
    }

    /// When the instance was last heard of. Since a server start every lease is full.
    pub(crate) fn heard_at(&self, id: InstanceId) -> Timestamp {
        let seen = self.observed.instances.get(&id);
        seen.map_or(self.observed.since, |seen| seen.heard_at.max(self.observed.since))
    }

    pub(crate) fn lease(&self, id: InstanceId) -> Lease {
        self.settings.lease.lease(self.now.since(self.heard_at(id)))
    }

    /// Whether the instance is there and does what it is told.
    pub(crate) fn attends(&self, id: InstanceId) -> bool {
        self.lease(id) == Lease::Ready && self.observed.connected(id)
    }

    /// What is free where. Made once per plan: within one, room is only taken.
    pub(crate) fn take_places(&mut self) -> Places {
        self.places.take().unwrap_or_else(|| Places::new(self))
    }

    pub(crate) fn put_places(&mut self, places: Places) {
        self.places = Some(places);
    }

    pub(crate) fn finish(self) -> Plan {
        Plan { batches: self.batches.into_vec(), wake_at: self.wake_at }
    }
}
