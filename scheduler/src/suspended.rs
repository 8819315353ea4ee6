//! What runs on a suspended instance stops, and nobody is blamed for it: services, counts and deployments stay as they are,
//! and what they lack is placed again once the suspension ends.

use model::{StopCause, Stopped, TaskChange};

use crate::proposals::Proposals;
use crate::sentence;
use crate::situation::Situation;

/// Stops the tasks of suspended instances, out of rotation first as always.
pub(crate) fn step(situation: &Situation<'_>) -> Proposals {
    let state = situation.state;
    let stopped = Stopped::new(StopCause::InstallationDown, sentence::suspended());
    let suspended = state.instances().filter(|instance| instance.suspended);
    let tasks = suspended.flat_map(|instance| state.tasks_on(instance.id));
    let wanted = tasks.filter(|task| task.wanted());
    wanted.map(|task| TaskChange::Stop { task: task.id, stopped: stopped.clone() }).collect()
}
