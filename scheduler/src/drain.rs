//! A task is told to stop only after every router is done with it, or has had its time.

use std::time::Duration;

use model::observed::RouterSeen;
use model::{
    Lease, RouterId, State, StateRevision, TargetGroupId, Task, TaskChange, TaskId, TaskPhase,
    Timestamp,
};

use crate::inputs::Inputs;
use crate::planted::{self, Fault};
use crate::proposals::Proposals;
use crate::situation::Situation;

/// Lets agents stop what routers are done with.
pub(crate) fn step(situation: &Situation<'_>) -> Proposals {
    let tasks = situation.state.tasks();
    tasks
        .filter_map(|task| {
            let TaskPhase::Deactivating { stop, .. } = task.phase() else { return None };
            if planted::is_on(Fault::NoDrain) {
                return Some(Proposals::one(TaskChange::Drained(task.id)));
            }
            let waits = waits_until(situation.facts.inputs, situation.state, task, stop.at);
            Some(match waits.into_iter().min() {
                Some(until) => Proposals::wake(until),
                None => Proposals::one(TaskChange::Drained(task.id)),
            })
        })
        .collect()
}

/// Until when to wait for each router that is not done with the task, which was told to stop at `stopping_at`.
fn waits_until(
    inputs: Inputs<'_>,
    state: &State,
    task: &Task,
    stopping_at: Timestamp,
) -> Vec<Timestamp> {
    let balancers = state.load_balancers_of(task);
    let Some(delay) = balancers.iter().map(|one| one.deregistration_delay_seconds).max() else {
        return Vec::new();
    };
    let over_at = stopping_at.plus(Duration::from_secs(u64::from(delay)));
    let targets = balancers.iter().map(|one| (one.target_group, task.id)).collect();
    // A task of an earlier version does not say which revision deactivated it.
    let since = task.deactivated_at().unwrap_or(inputs.state.revision());
    let leaving = Leaving { targets, since, over_at };
    let routers = state.routers();
    routers.filter_map(|router| wait_for(inputs, router.id, &leaving)).collect()
}

/// What leaves the routing table.
struct Leaving {
    targets: Vec<(TargetGroupId, TaskId)>,
    /// The revision that took it out of rotation.
    since: StateRevision,
    /// When it has had its time.
    over_at: Timestamp,
}

/// Until when to wait for a router; None when it is done with the targets.
///
/// A connected router is done when it has taken a target out of rotation on disk and nothing is in flight there, or when
/// it serves from a table of that revision or a newer one and does not know the target. One that is away may still send requests: it is waited
/// for until its lease and the delay are both over.
fn wait_for(inputs: Inputs<'_>, id: RouterId, leaving: &Leaving) -> Option<Timestamp> {
    let Leaving { targets, since, over_at } = leaving;
    let (since, over_at) = (*since, *over_at);
    let Inputs { observed, now, settings, .. } = inputs;
    let seen = observed.routers.get(&id);
    if let Some(seen) = seen.filter(|seen| seen.presence.connected) {
        let is_done = now >= over_at || targets.iter().all(|target| is_done(seen, *target, since));
        return (!is_done).then_some(over_at);
    }
    let heard_at = seen.map_or(observed.since, |seen| seen.presence.heard_at.max(observed.since));
    let is_over = settings.lease.lease(now.since(heard_at)) >= Lease::Disconnected;
    let until = over_at.max(heard_at.plus(settings.lease.disconnected_after));
    (!is_over || now < over_at).then_some(until)
}

fn is_done(router: &RouterSeen, target: (TargetGroupId, TaskId), since: StateRevision) -> bool {
    match router.targets.get(&target) {
        Some(seen) => seen.draining && seen.in_flight == 0,
        None => router.applied.is_some_and(|applied| applied >= since),
    }
}
