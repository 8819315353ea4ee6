//! A lost instance gives up its tasks.
//!
//! A lost link is not a dead task. Where the routers still find a task of a lost instance healthy, it is replaced like a
//! task of an older deployment, within the bounds of its service; everything else on that instance is given up at once.
//! Its reservation stays until the agent reports or the instance is removed.

use model::{InstanceId, StopCause, Stopped, TaskChange};

use crate::proposals::Proposals;
use crate::sentence;
use crate::situation::Situation;

/// Stops the tasks of lost instances that no router vouches for.
pub(crate) fn step(situation: &Situation<'_>) -> Proposals {
    let Situation { facts, state, .. } = situation;
    let given_up = facts.lost().flat_map(|id| {
        let stopped = silence(situation, id);
        let tasks = state.tasks_on(id).filter(|task| task.wanted());
        let unserving = tasks.filter(|task| !facts.is_vouched_for(task.id));
        unserving.map(move |task| TaskChange::Stop { task: task.id, stopped: stopped.clone() })
    });
    given_up.collect()
}

/// Why a task of a lost instance is stopped.
pub(crate) fn silence(situation: &Situation<'_>, id: InstanceId) -> Stopped {
    let host = situation.state.instance(id);
    let name = host.map_or_else(|| id.to_string(), |instance| instance.name.clone());
    let seconds = situation.facts.inputs.settings.lease.lost_after.as_secs();
    Stopped::new(StopCause::InstanceLost, sentence::instance_silent(&name, seconds))
}
