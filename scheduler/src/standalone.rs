//! A task without a service is placed at once or fails at once with the reason; only an instance that may be back before
//! its lease is over is waited for.

use model::{StopCause, Stopped, Task, TaskChange, TaskStatus};

use crate::place::{self, Placed, Unplaceable};
use crate::proposals::Proposals;
use crate::request::Request;
use crate::room::Room;
use crate::situation::Situation;

/// Places tasks that were made without a place.
pub(crate) fn step(situation: &Situation<'_>) -> Proposals {
    let tasks = situation.state.tasks();
    let mut waiting = tasks
        .filter(|task| task.last_status() == TaskStatus::Provisioning && task.wanted())
        .peekable();
    if waiting.peek().is_none() {
        return Proposals::default();
    }
    let begun = (situation.room().clone(), Proposals::default());
    let (_, proposals) = waiting.fold(begun, |(room, proposals), task| {
        let (room, more) = place(situation, room, task);
        (room, proposals.and(more))
    });
    proposals
}

/// Places one, and gives back the room that is left.
fn place(situation: &Situation<'_>, room: Room, task: &Task) -> (Room, Proposals) {
    let state = situation.state;
    let Some(definition) = state.task_definition(&task.task_definition) else {
        return (room, Proposals::default());
    };
    let request = Request::of_task(state, task, definition);
    let Placed { placements, unplaceable, room } = place::place(state, room, &request, 1);
    let placed = placements
        .into_iter()
        .map(|placement| TaskChange::Place { task: task.id, placement })
        .collect::<Proposals>();
    let refused = unplaceable.map_or_else(Proposals::default, |unplaceable| {
        let Unplaceable { failure, may_change_at, lacks_room: _ } = unplaceable;
        may_change_at.map_or_else(
            || {
                let stopped = Stopped::new(StopCause::NoInstanceFits, failure.to_string());
                Proposals::one(TaskChange::Stop { task: task.id, stopped })
            },
            Proposals::wake,
        )
    });
    (room, placed.and(refused))
}
