//! A target group: picks a target for each request, round robin, and holds requests while none is ready but one is
//! expected.
//!
//! Targets change without a new table, and a group outlives tables. The list of targets that get requests is rebuilt
//! whenever one of them changes, so that picking only reads.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use model::view::{TargetGroupView, TargetView};
use model::{HostIdentity, TargetGroupId, TaskId};
use tokio::sync::Notify;

use crate::health_state::{Eligibility, HealthState};
use crate::sentence::routing;
use crate::target::{InFlight, Target};

/// How many requests of one group may be held.
const MAX_HELD: usize = 1_000;

/// A target group.
#[derive(Debug)]
pub(crate) struct Group {
    id: TargetGroupId,
    settings: ArcSwap<Settings>,
    targets: ArcSwap<Vec<Arc<Target>>>,
    ready: ArcSwap<Vec<Arc<Target>>>,
    /// Held while the ready list is rebuilt, so that an older list never replaces a newer one.
    listing: Mutex<()>,
    turn: AtomicUsize,
    held: AtomicUsize,
    /// Notified when a target becomes ready.
    arrival: Notify,
    changed: Arc<Notify>,
}

#[derive(Debug, PartialEq)]
struct Settings {
    name: String,
    expects_targets: bool,
}

impl Settings {
    fn of(view: &TargetGroupView) -> Self {
        Self { name: view.name.to_string(), expects_targets: view.expects_targets }
    }
}

/// Why there is no target for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoTarget {
    /// None is ready and none is expected.
    #[error("{}", routing::none_expected())]
    NoneExpected,
    /// One was expected, but none became ready in time.
    #[error("{}", routing::late())]
    Late,
    /// Too many requests are held already.
    #[error("{}", routing::crowded())]
    Crowded,
}

impl Group {
    /// Without targets; `update` brings them.
    pub(crate) fn new(view: &TargetGroupView, changed: Arc<Notify>) -> Self {
        Self {
            id: view.id,
            settings: ArcSwap::from_pointee(Settings::of(view)),
            targets: ArcSwap::default(),
            ready: ArcSwap::default(),
            listing: Mutex::new(()),
            turn: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            arrival: Notify::new(),
            changed,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> String {
        self.settings.load().name.clone()
    }

    /// All its targets.
    pub(crate) fn targets(&self) -> Arc<Vec<Arc<Target>>> {
        self.targets.load_full()
    }

    /// Takes over a group's rows. Returns the targets that are new and those that were removed.
    pub(crate) fn update(
        &self,
        view: &TargetGroupView,
        targets: &[&TargetView],
        here: &HostIdentity,
        health_state: &HealthState,
    ) -> (Vec<Arc<Target>>, Vec<Arc<Target>>) {
        let settings = Settings::of(view);
        if **self.settings.load() != settings {
            self.settings.store(Arc::new(settings));
        }
        let known = self.targets();
        let mut fresh = Vec::new();
        let targets: Vec<_> = targets
            .iter()
            .map(|seen| {
                // One that comes back after it drained becomes a new target: that it had drained was reported.
                let same = known.iter().find(|target| {
                    target.task() == seen.task && (seen.draining || !target.is_draining())
                });
                let check = seen.health_check.clone().unwrap_or_else(|| view.health_check.clone());
                if let Some(target) = same {
                    target.update(seen, check, here);
                    return Arc::clone(target);
                }
                let changed = Arc::clone(&self.changed);
                let target = Target::new(self.id, seen, check, here, health_state.clone(), changed);
                let target = Arc::new(target);
                fresh.push(Arc::clone(&target));
                target
            })
            .collect();
        let stays = |old: &Arc<Target>| targets.iter().any(|new| Arc::ptr_eq(old, new));
        let left: Vec<_> = known.iter().filter(|old| !stays(old)).map(Arc::clone).collect();
        for target in &left {
            target.remove();
        }
        self.targets.store(Arc::new(targets));
        self.refresh();
        (fresh, left)
    }

    /// The group was removed from the table, with all its targets.
    pub(crate) fn remove(&self) -> Arc<Vec<Arc<Target>>> {
        let left = self.targets.swap(Arc::default());
        for target in left.iter() {
            target.remove();
        }
        self.settings
            .rcu(|settings| Settings { name: settings.name.clone(), expects_targets: false });
        self.refresh();
        self.arrival.notify_waiters();
        left
    }

    /// Rebuilds the list of targets that get requests.
    pub(crate) fn refresh(&self) {
        let listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        let targets = self.targets();
        let eligibilities: Vec<_> = targets.iter().map(|target| target.eligibility()).collect();
        let best =
            eligibilities.iter().copied().max().filter(|best| *best > Eligibility::Ineligible);
        let chosen = targets
            .iter()
            .zip(&eligibilities)
            .filter(|(_, eligibility)| Some(**eligibility) == best);
        let ready: Vec<_> = chosen.map(|(target, _)| Arc::clone(target)).collect();
        let any = !ready.is_empty();
        self.ready.store(Arc::new(ready));
        drop(listing);
        if any || !self.expects() {
            self.arrival.notify_waiters();
        }
    }

    /// A connection to the target did not open.
    pub(crate) fn eject(&self, target: &Target) {
        if target.eject() {
            tracing::warn!(
                task.id = %target.task(),
                "ejected task `{}` from target group `{}` until its next passed check: no connection to it opens",
                target.task(),
                self.name(),
            );
            self.refresh();
        }
    }

    /// The next target, round robin, preferring those that were not tried.
    pub(crate) fn pick(&self, tried: &[TaskId]) -> Option<InFlight> {
        let ready = self.ready.load();
        // A retry does not advance the rotation.
        let first = match tried {
            [] => self.turn.fetch_add(1, Ordering::Relaxed),
            [_, ..] => self.turn.load(Ordering::Relaxed),
        };
        let in_turn =
            || (0..ready.len()).map(|step| &ready[first.wrapping_add(step) % ready.len()]);
        let untried = in_turn().filter(|target| !tried.contains(&target.task()));
        untried.chain(in_turn()).find_map(Target::enter)
    }

    /// Whether it is worth to wait for a target: one is on its way, or one that is there has not been checked often enough.
    fn expects(&self) -> bool {
        self.settings.load().expects_targets
            || self.targets().iter().any(|target| target.is_undecided())
    }

    /// The next target, round robin; where none is ready but one is expected, waits for it.
    pub(crate) async fn wait(&self, tried: &[TaskId]) -> Result<InFlight, NoTarget> {
        if let Some(target) = self.pick(tried) {
            return Ok(target);
        }
        if !self.expects() {
            return Err(NoTarget::NoneExpected);
        }
        let _permit = HoldPermit::take(&self.held).ok_or(NoTarget::Crowded)?;
        loop {
            let arrival = self.arrival.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            if let Some(target) = self.pick(tried) {
                return Ok(target);
            }
            if !self.expects() {
                return Err(NoTarget::NoneExpected);
            }
            arrival.await;
        }
    }
}

/// Counts one held request until it is dropped.
struct HoldPermit<'a>(&'a AtomicUsize);

impl<'a> HoldPermit<'a> {
    fn take(held: &'a AtomicUsize) -> Option<Self> {
        let before = held.fetch_add(1, Ordering::Relaxed);
        let permit = Self(held);
        (before < MAX_HELD).then_some(permit)
    }
}

impl Drop for HoldPermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
