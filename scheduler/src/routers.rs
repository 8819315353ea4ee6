//! A task is told to stop only after every router has let go of it, or has had its time; its address is given out again
//! only after every registered router has a table without it.

use std::time::Duration;

use model::observed::RouterSeen;
use model::{Lease, RouterId, TargetGroupId, Task, TaskChange, TaskStatus, Timestamp};

use crate::deployment;
use crate::draft::Draft;

/// Forgets what has stopped, is removed from its instance, and is in no router's table.
pub(crate) fn forget(draft: &mut Draft<'_>) {
    let routers = draft.state.routers().map(|router| router.id).collect();
    let state = draft.state.clone();
    for task in state.tasks().filter(|task| task.last_status == TaskStatus::Stopped) {
        let is_removed =
            task.reaped || task.instance().is_none_or(|id| state.instance(id).is_none());
        let is_unknown = task.unrouted_at.is_none_or(|at| draft.observed.all_applied(&routers, at));
        if !is_removed || !is_unknown {
            continue;
        }
        match deployment::remembered_until(&state, task).filter(|until| *until > draft.now) {
            Some(until) => draft.wake_at(until),
            None => drop(draft.propose(TaskChange::Forget(task.id))),
        }
    }
}

/// Lets agents stop what routers are done with.
pub(crate) fn drain(draft: &mut Draft<'_>) {
    let state = draft.state.clone();
    let leaving = state.tasks().filter(|task| task.last_status == TaskStatus::Deactivating);
    for task in leaving {
        if is_drained(draft, task) {
            draft.propose(TaskChange::Drained(task.id));
        }
    }
}

fn is_drained(draft: &mut Draft<'_>, task: &Task) -> bool {
    let service = task.service.and_then(|id| draft.state.service(id));
    let groups: Vec<_> = service
        .into_iter()
        .flat_map(|service| &service.load_balancers)
        .filter_map(|balancer| draft.state.target_group(balancer.target_group))
        .map(|group| (group.id, group.deregistration_delay_seconds))
        .collect();
    let Some(delay) = groups.iter().map(|(_, secs)| *secs).max() else {
        return true;
    };
    let stopping_at = task.stopping_at.unwrap_or(task.created_at);
    let over_at = stopping_at.plus(Duration::from_secs(u64::from(delay)));
    let routers: Vec<_> = draft.state.routers().map(|router| router.id).collect();
    let mut drained = true;
    for id in routers {
        let groups = groups.iter().map(|(group, _)| *group);
        if let Some(wait_until) = waits_for(draft, id, task, groups, over_at) {
            draft.wake_at(wait_until);
            drained = false;
        }
    }
    drained
}

/// Until when to wait for a router; None when it is done with the task.
///
/// A connected router is done when it has taken the target out of rotation on disk and nothing is in flight there, or
/// when it serves from this very state and does not know the target. One that is away may still send requests: it is
/// waited for until its lease and the delay are both over.
fn waits_for(
    draft: &Draft<'_>,
    id: RouterId,
    task: &Task,
    mut groups: impl Iterator<Item = TargetGroupId>,
    over_at: Timestamp,
) -> Option<Timestamp> {
    let seen = draft.observed.routers.get(&id);
    if let Some(seen) = seen.filter(|seen| seen.presence.connected) {
        let done =
            draft.now >= over_at || groups.all(|group| lets_go(draft, seen, (group, task.id)));
        return (!done).then_some(over_at);
    }
    let since = draft.observed.since;
    let heard_at = seen.map_or(since, |seen| seen.presence.heard_at.max(since));
    let lease = draft.settings.lease;
    let passed_over = lease.lease(draft.now.since(heard_at)) >= Lease::Disconnected;
    if passed_over && draft.now >= over_at {
        return None;
    }
    Some(over_at.max(heard_at.plus(lease.disconnected_after)))
}

fn lets_go(draft: &Draft<'_>, router: &RouterSeen, target: (TargetGroupId, model::TaskId)) -> bool {
    match router.targets.get(&target) {
        Some(seen) => seen.draining && seen.in_flight == 0,
        None => router.applied.is_some_and(|applied| applied >= draft.before.revision()),
    }
}
