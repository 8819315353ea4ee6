//! The agent's report to the server: the whole actual state each time. A task whose containers are not all inspected yet is
//! left out, since unknown does not mean failed.

use link::message::{AGENT_FRAME_BYTES, SeenTask};
use model::{AssignedContainer, AssignedTask, TaskContainer, TaskStatus, Wanted};

use crate::exit::Exit;
use crate::next;
use crate::sentences;
use crate::task_state::{ContainerState, TaskState};

/// Lines of a container's log that a report holds.
pub(crate) const TAIL_LINES: usize = 20;
/// Bytes of such a line at most.
pub(crate) const LINE_BYTES: usize = 1024;

/// Bytes of all logs' last lines in a report at most: half of what the link takes in a frame, which leaves room for the rest of
/// some hundreds of tasks.
const TAILS_BYTES: usize = AGENT_FRAME_BYTES / 2;

/// Takes the last lines of the oldest tasks out of a report that would have too many: a report that does not fit in a frame
/// would never arrive.
pub(crate) fn fit(tasks: &mut [SeenTask]) {
    let mut room = TAILS_BYTES;
    for container in tasks.iter_mut().rev().flat_map(|task| &mut task.containers) {
        let bytes: usize = container.log_tail.iter().map(|line| in_json(line)).sum();
        match room.checked_sub(bytes) {
            Some(left) => room = left,
            None => container.log_tail.clear(),
        }
    }
}

/// Bytes of a line in JSON, which writes a control character with six.
fn in_json(line: &str) -> usize {
    let bytes = |byte: u8| if byte < 0x20 || byte == b'"' || byte == b'\\' { 6 } else { 1 };
    line.bytes().map(bytes).sum::<usize>() + 3
}

/// A task's report; None while its state is unknown. `obstacle` is what all tasks of the instance wait for before they start.
/// A task that `is_starting` has a container that is being created or started, so it has not ended yet, whatever its state.
pub(crate) fn seen(
    task: &AssignedTask,
    state: &TaskState,
    is_starting: bool,
    obstacle: Option<&str>,
) -> Option<SeenTask> {
    let task_status = next::status(task, state)?;
    let is_too_early = is_starting && task.wanted != Wanted::Reap;
    let status = if is_too_early { task_status.min(TaskStatus::Stopping) } else { task_status };
    let stopped = match task.wanted {
        Wanted::Run if status > TaskStatus::Running => next::ending(task, state),
        // The server itself wants it stopped and knows why.
        Wanted::Run | Wanted::Stop | Wanted::Reap => None,
    };
    let obstacle = obstacle.filter(|_| status == TaskStatus::Activating);
    Some(SeenTask {
        task: task.id,
        status,
        stopped,
        containers: task.containers.iter().map(|one| container(one, state, obstacle)).collect(),
        reaped: task.wanted == Wanted::Reap && !is_starting && state.is_empty(),
        peak_memory_mib: None,
    })
}

fn container(one: &AssignedContainer, state: &TaskState, obstacle: Option<&str>) -> TaskContainer {
    let container = state.container(&one.name);
    let exit = container.state.exit();
    TaskContainer {
        name: one.name.clone(),
        image: one.image.clone(),
        runtime_id: container.state.id().cloned(),
        exit_code: exit.map(|exit| exit.code),
        reason: reason(one, state, exit).or_else(|| {
            let waits = container.state == ContainerState::NotCreated;
            obstacle.filter(|_| waits).map(ToOwned::to_owned)
        }),
        restarts: container.restarts,
        log_tail: exit.and_then(|exit| exit.log_tail.clone()).unwrap_or_default(),
    }
}

fn reason(one: &AssignedContainer, state: &TaskState, exit: Option<&Exit>) -> Option<String> {
    let failure = state.failure.as_ref().filter(|failure| failure.container == one.name);
    let failed = failure.map(|failure| failure.stopped.reason.clone());
    let ended = || {
        let exit = exit.filter(|exit| exit.code != 0 || exit.out_of_memory)?;
        Some(sentences::exited(&one.name, exit, one.memory))
    };
    let known = failed.or_else(ended);
    let known = known.or_else(|| state.waiting_reason(&one.name).map(ToOwned::to_owned));
    if !state.container(&one.name).hit_process_limit {
        return known;
    }
    let limit = sentences::process_limit(&one.name);
    Some(known.map_or_else(|| limit.clone(), |known| format!("{known}; {limit}")))
}

/// The last lines of a log, each cut to what is kept.
pub(crate) fn tail(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let lines: Vec<String> = lines.into_iter().collect();
    let skipped = lines.len().saturating_sub(TAIL_LINES);
    let cut = |line: String| line[..line.floor_char_boundary(LINE_BYTES)].to_owned();
    lines.into_iter().skip(skipped).map(cut).collect()
}

#[cfg(test)]
mod tests;
