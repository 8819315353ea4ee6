//! A task that nobody keeps is placed at once or fails at once with the reason; only an instance that is just now on its
//! way back is waited for.

use model::{StopCause, Stopped, Task, TaskChange, TaskStatus};

use crate::draft::Draft;
use crate::place::{self, Request};

/// Places tasks that were made without a place.
pub(crate) fn place(draft: &mut Draft<'_>) {
    let state = draft.state.clone();
    let waiting =
        state.tasks().filter(|task| task.last_status == TaskStatus::Provisioning && task.wanted());
    for task in waiting {
        place_one(draft, task);
    }
}

fn place_one(draft: &mut Draft<'_>, task: &Task) {
    let Some(definition) = draft.state.task_definition(&task.task_definition) else { return };
    let request = Request {
        cluster: task.cluster.clone(),
        service: task.service,
        deployment: task.deployment,
        resources: task.resources.clone(),
        images: task.containers.iter().map(|container| container.image.clone()).collect(),
        mappings: place::mappings(definition),
    };
    let (placements, unplaceable) = place::place(draft, &request, 1);
    if let Some(placement) = placements.into_iter().next() {
        draft.propose(TaskChange::Place { task: task.id, placement });
    }
    let Some(unplaceable) = unplaceable else { return };
    if let Some(at) = unplaceable.may_change_at {
        draft.wake_at(at);
        return;
    }
    let stopped = Stopped::new(StopCause::NoInstanceFits, unplaceable.failure.to_string());
    draft.propose(TaskChange::Stop { task: task.id, stopped });
}
