//! After failures, tasks of a deployment are started again after a pause that grows.

use std::time::Duration;

use model::{Backoff, Deployment, ServiceStatus, State, StopCode, Task, TaskPhase, Timestamp};

use crate::hash::fnv1a;
use crate::planted::{self, Fault};

/// The pauses before tasks are started again after failures.
const LAUNCHES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_mins(1));

/// When tasks of the deployment may be started again after failures: its own, or its instances'.
pub(crate) fn launch_at(state: &State, deployment: &Deployment) -> Option<Timestamp> {
    let pause = |failures: u32, last: Timestamp| {
        let draw = fnv1a(&format!("{failures}/{}", deployment.id));
        let pause = if planted::is_on(Fault::EndlessPause) {
            Duration::from_hours(1)
        } else {
            LAUNCHES.after(failures, draw)
        };
        (failures > 0).then(|| last.plus(pause))
    };
    // One that was healthy and ended is replaced at once; only a row of them is not.
    let failures = deployment.failed_tasks.max(deployment.crashed_tasks.saturating_sub(1));
    let own = deployment.last_failure_at.and_then(|at| pause(failures, at));
    let tasks = state.tasks_of(deployment.service);
    let let_down =
        tasks.filter(|task| task.deployment == Some(deployment.id)).filter_map(let_down_at);
    let (count, last) =
        let_down.fold((0, None), |(count, last): (u32, _), at| (count + 1, last.max(Some(at))));
    own.max(last.and_then(|at| pause(count, at)))
}

/// When the task stopped, if its instance could not give it what it had promised. No deployment is blamed for that.
fn let_down_at(task: &Task) -> Option<Timestamp> {
    let TaskPhase::Stopped { run, stop, stopped_at, .. } = task.phase() else { return None };
    let was_healthy = run.is_some_and(|run| run.healthy_at.is_some());
    (!was_healthy && stop.why.code == StopCode::InfrastructureHealth).then_some(stopped_at)
}

/// Until when a stopped task is kept in State although it is gone: others then avoid its instance and its ports, and
/// come after a pause, since nothing else counts such failures.
pub(crate) fn remembered_until(state: &State, task: &Task) -> Option<Timestamp> {
    let service = state.service(task.service?)?;
    let counts = service.status == ServiceStatus::Active && service.deployment == task.deployment;
    let stopped_at = let_down_at(task).filter(|_| counts)?;
    Some(stopped_at.plus(LAUNCHES.longest()))
}
