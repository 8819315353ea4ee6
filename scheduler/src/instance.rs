//! An instance that is lost gives up its tasks, unless most went at once: then it is likely the scheduler that is cut
//! off, and it holds still.
//!
//! A lost link is not a dead task. Where the routers still find a task of a lost instance healthy, it is replaced like a
//! task of an older deployment, within the bounds of its service; everything else on that instance is given up at once.
//! Its reservation stays until the agent reports or the instance is removed.

use std::collections::BTreeSet;

use model::{InstanceId, Lease, StopCause, Stopped, TaskChange};

use crate::draft::Draft;
use crate::{health, sentence};

/// Fewer lost instances than this are never a mass loss.
const MASS: usize = 3;

/// The instances whose tasks are given up now.
pub(crate) fn lost(draft: &mut Draft<'_>) -> BTreeSet<InstanceId> {
    let (lease, hold) = (draft.settings.lease, draft.settings.mass_loss_hold);
    let mut lost = BTreeSet::new();
    let mut just_lost = BTreeSet::new();
    let mut present = 0;
    let ids: Vec<_> = draft.state.instances().map(|instance| instance.id).collect();
    for id in ids {
        let heard = draft.heard_at(id);
        match draft.lease(id) {
            Lease::Lost if draft.now.since(heard) < lease.lost_after + hold => {
                just_lost.insert(id);
            }
            Lease::Lost => {
                lost.insert(id);
            }
            Lease::Ready | Lease::Suspect | Lease::Disconnected => {
                present += 1;
                draft.wake_at(heard.plus(lease.lost_after));
            }
        }
    }
    let mass_loss = just_lost.len() >= MASS && just_lost.len() > present;
    if mass_loss {
        for id in &just_lost {
            draft.wake_at(draft.heard_at(*id).plus(lease.lost_after + hold));
        }
    } else {
        lost.extend(just_lost);
    }
    lost
}

/// Why a task of a lost instance is stopped.
pub(crate) fn silence(draft: &Draft<'_>, id: InstanceId) -> Stopped {
    let name = draft.state.instance(id).map_or_else(|| id.to_string(), |found| found.name.clone());
    let secs = draft.settings.lease.lost_after.as_secs();
    Stopped::new(StopCause::InstanceLost, sentence::instance_silent(&name, secs))
}

/// Stops the tasks of lost instances that no router vouches for.
pub(crate) fn give_up_lost(draft: &mut Draft<'_>) {
    for id in draft.lost.clone() {
        let stopped = silence(draft, id);
        let state = draft.state.clone();
        for task in state.tasks_on(id).filter(|task| task.wanted()) {
            if !health::vouched_for(draft, task) {
                draft.propose(TaskChange::Stop { task: task.id, stopped: stopped.clone() });
            }
        }
    }
}
