//! What has stopped goes to history once it is removed from its instance and in no router's table: only then its address
//! may be given out again.

use model::{Task, TaskChange, TaskPhase};

use crate::planted::{self, Fault};
use crate::proposals::Proposals;
use crate::relaunch;
use crate::situation::Situation;

/// Forgets what has stopped, is removed from its instance, and is in no router's table.
pub(crate) fn step(situation: &Situation<'_>) -> Proposals {
    let Situation { facts, state, .. } = situation;
    let routers = state.routers().map(|router| router.id).collect();
    let is_gone = |task: &&Task| {
        let TaskPhase::Stopped { placement, unrouted_at, reaped, .. } = task.phase() else {
            return false;
        };
        let is_removed =
            reaped || placement.is_none_or(|place| state.instance(place.instance).is_none());
        let observed = facts.inputs.observed;
        if planted::is_on(Fault::AddressWithoutWait) {
            return is_removed;
        }
        is_removed && unrouted_at.is_none_or(|at| observed.all_applied(&routers, at))
    };
    let tasks = state.tasks();
    tasks
        .filter(is_gone)
        .map(|task| match relaunch::remembered_until(state, task) {
            Some(until) if until > facts.inputs.now => Proposals::wake(until),
            _ => Proposals::one(TaskChange::Forget(task.id)),
        })
        .collect()
}
