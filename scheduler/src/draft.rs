//! A plan in the making: the state as it will be once everything proposed so far is applied.

use std::collections::BTreeSet;

use model::{Change, History, InstanceId, Lease, Observed, State, Timestamp, Touched};

use crate::place::Places;
use crate::{Plan, Settings, instance};

/// What one batch writes at most. A commit takes one hundred rows and 1 MiB.
const MOST: Weight = Weight { rows: 90, bytes: 512 * 1024 };

/// How much Changes write.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    rows: usize,
    bytes: usize,
}

impl Weight {
    fn of(state: &State, touched: &Touched) -> Self {
        let Touched { rows, history } = touched;
        let values =
            rows.iter().filter_map(|key| state.row(key)).chain(history.iter().map(History::row));
        // A row of history, and what finds it by service and by task.
        Self { rows: rows.len() + 3 * history.len(), bytes: values.map(|value| value.len()).sum() }
    }

    fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }

    fn fits(self) -> bool {
        self.rows <= MOST.rows && self.bytes <= MOST.bytes
    }
}

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
    groups: Vec<(Vec<Change>, Weight)>,
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
            groups: Vec::new(),
            wake_at: None,
        };
        draft.lost = instance::lost(&mut draft);
        draft
    }

    /// Proposes one Change; whether it will do something.
    pub(crate) fn propose(&mut self, change: Change) -> bool {
        self.propose_together(vec![change])
    }

    /// Proposes Changes that only make sense together: they share a batch.
    pub(crate) fn propose_together(&mut self, changes: Vec<Change>) -> bool {
        match self.state.apply_all(&changes, self.now) {
            Ok(touched) if touched.is_empty() => false,
            Ok(touched) => {
                self.groups.push((changes, Weight::of(&self.state, &touched)));
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
        let mut batches: Vec<Vec<Change>> = Vec::new();
        let mut sum = Weight::default();
        for (group, weight) in self.groups {
            sum = sum.plus(weight);
            match batches.last_mut() {
                Some(batch) if sum.fits() => batch.extend(group),
                _ => {
                    batches.push(group);
                    sum = weight;
                }
            }
        }
        Plan { batches, wake_at: self.wake_at }
    }
}
