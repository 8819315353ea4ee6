//! The next Op of a task: a pure function of desired state, actual state and time. Executing what it returns until it returns
//! nothing brings the task to its desired state, whatever happens in between.
//!
//! The first essential container has the task's address and ports, and starts first; the others join its network and start
//! in the order of the definition. Nothing starts before all images are there.

use std::time::Duration;

use model::{AssignedContainer, AssignedTask, StopCause, Stopped, TaskStatus, Timestamp, Wanted};

use crate::exit::Exit;
use crate::op::{Network, Op};
use crate::sentences;
use crate::signal;
use crate::task_state::{Container, ContainerState, Image, StopProgress, TaskFailure, TaskState};

/// How long after SIGKILL a container that still runs gets it again.
const KILL_REPEAT: Duration = Duration::from_secs(10);

/// The next Op, if one is due now.
pub(crate) fn next(task: &AssignedTask, state: &TaskState, now: Timestamp) -> Option<Op> {
    let ops = match task.wanted {
        Wanted::Run if ending(task, state).is_none() => run(task, state).into_iter().collect(),
        Wanted::Run | Wanted::Stop => stop(task, state, now),
        Wanted::Reap => reap(task, state, now),
    };
    ops.into_iter().find(|op| !state.is_delayed(op, now))
}

/// When an Op becomes due without any input.
pub(crate) fn wake(task: &AssignedTask, state: &TaskState, now: Timestamp) -> Option<Timestamp> {
    let deadlines = task.containers.iter().filter_map(|one| {
        let ContainerState::Running { stop, .. } = state.container(&one.name).state else {
            return None;
        };
        stop.map(|stop| deadline(one, stop))
    });
    deadlines.filter(|at| now < *at).chain(state.delayed_until(now)).min()
}

/// Why the task ends by itself; None while it does not.
pub(crate) fn ending(task: &AssignedTask, state: &TaskState) -> Option<Stopped> {
    if let Some(TaskFailure { stopped, .. }) = &state.failure {
        return Some(stopped.clone());
    }
    let essential = || {
        let all = task.containers.iter().filter(|one| one.essential);
        all.map(|one| (one, &state.container(&one.name).state))
    };
    // The first exit ends the task; the others may follow from being stopped.
    let first = essential()
        .filter_map(|(one, container)| Some((one, container.exit()?)))
        .filter(|(one, exit)| !is_restarted(one, exit))
        .min_by_key(|(_, exit)| exit.at);
    if let Some((one, exit)) = first {
        let reason = sentences::essential_exited(&one.name, exit, one.memory);
        return Some(Stopped::new(exit.cause(), reason));
    }
    let (one, _) = essential().find(|(_, container)| is_gone(task, container))?;
    Some(Stopped::new(StopCause::ContainerRemoved, sentences::essential_removed(&one.name)))
}

/// The task's status, as the agent reports it; None while a container is not inspected.
pub(crate) fn status(task: &AssignedTask, state: &TaskState) -> Option<TaskStatus> {
    let states = || task.containers.iter().map(|one| &state.container(&one.name).state);
    match task.wanted {
        Wanted::Reap => return Some(TaskStatus::Stopped),
        Wanted::Run if ending(task, state).is_none() || awaits_log_tail(task, state) => {
            if states().any(|container| matches!(container, ContainerState::Unknown)) {
                return None;
            }
            let started = states().all(|container| {
                is_gone(task, container)
                    || matches!(
                        container,
                        ContainerState::Running { .. } | ContainerState::Exited { .. }
                    )
            });
            return Some(if started { TaskStatus::Running } else { TaskStatus::Activating });
        }
        Wanted::Run | Wanted::Stop => {}
    }
    let is_over = |container: &ContainerState| match container {
        ContainerState::NotCreated | ContainerState::Created { .. } | ContainerState::Removed => {
            true
        }
        ContainerState::Exited { exit, .. } => exit.log_tail.is_some(),
        ContainerState::Unknown | ContainerState::Running { .. } => false,
    };
    Some(if states().all(is_over) { TaskStatus::Stopped } else { TaskStatus::Stopping })
}

/// Whether the log of a container must be read first to say why its task ends.
fn awaits_log_tail(task: &AssignedTask, state: &TaskState) -> bool {
    state.failure.is_none()
        && task.containers.iter().filter(|one| one.essential).any(|one| {
            let exit = state.container(&one.name).state.exit();
            exit.is_some_and(|exit| exit.is_command_failure() && exit.log_tail.is_none())
        })
}

/// The container that has the task's address and ports.
pub(crate) fn network_owner(task: &AssignedTask) -> Option<&AssignedContainer> {
    task.containers.iter().find(|one| one.essential).or(task.containers.first())
}

fn in_start_order(task: &AssignedTask) -> impl DoubleEndedIterator<Item = &AssignedContainer> {
    let owner = network_owner(task);
    let others = task.containers.iter().filter(move |one| !is_same(owner, one));
    owner.into_iter().chain(others)
}

fn is_same(owner: Option<&AssignedContainer>, one: &AssignedContainer) -> bool {
    owner.is_some_and(|owner| owner.name == one.name)
}

fn run(task: &AssignedTask, state: &TaskState) -> Option<Op> {
    let all = || {
        let all = in_start_order(task).map(|one| (one, state.container(&one.name)));
        all.filter(|(_, container)| !is_gone(task, &container.state))
    };
    if all().any(|(_, container)| container.state == ContainerState::Unknown) {
        return None;
    }
    let mut created = all().filter(|(_, container)| container.state == ContainerState::NotCreated);
    let lacking = created.find_map(|(one, container)| match container.image {
        Image::Unknown => Some(Op::Find { container: one.name.clone() }),
        Image::Missing => Some(Op::Pull { container: one.name.clone() }),
        Image::Present(_) => None,
    });
    let owner = network_owner(task).map(|owner| (owner, state.container(&owner.name)));
    lacking
        .or_else(|| all().find_map(|(one, container)| bring_up(one, container, owner)))
        .or_else(|| all().find_map(|(one, container)| tail(one, &container.state)))
}

/// The Op that brings one container closer to running.
fn bring_up(
    one: &AssignedContainer,
    current: &Container,
    owner: Option<(&AssignedContainer, &Container)>,
) -> Option<Op> {
    let container = one.name.clone();
    let owner = owner.filter(|(owner, _)| owner.name != one.name).map(|(_, container)| container);
    match &current.state {
        ContainerState::NotCreated => {
            let Image::Present(image) = &current.image else { return None };
            let network = match owner {
                None => Network::Own,
                Some(owner) => Network::Of(owner.state.id()?.clone()),
            };
            let stop_signal = signal::to_stop(current.stop_signal.as_deref());
            Some(Op::Create { container, image: image.clone(), network, stop_signal })
        }
        ContainerState::Created { id } => Some(Op::Start { container, id: id.clone() }),
        ContainerState::Exited { id, exit } if is_restarted(one, exit) => {
            Some(Op::Start { container, id: id.clone() })
        }
        ContainerState::Running { id, .. } => {
            let is_running =
                |state: &ContainerState| matches!(state, ContainerState::Running { .. });
            let owner = owner.filter(|owner| is_running(&owner.state))?;
            // The network namespace that it joined ended with the owner's last run.
            (current.started < owner.started).then(|| Op::Restart {
                container,
                id: id.clone(),
                timeout_secs: one.stop_timeout_secs,
            })
        }
        ContainerState::Exited { .. } | ContainerState::Unknown | ContainerState::Removed => None,
    }
}

fn stop(task: &AssignedTask, state: &TaskState, now: Timestamp) -> Vec<Op> {
    let all = || in_start_order(task).map(|one| (one, state.container(&one.name)));
    let ends = all().filter_map(|(one, container)| {
        let ContainerState::Running { id, stop, .. } = &container.state else { return None };
        let (container_name, id) = (one.name.clone(), id.clone());
        match stop {
            Some(stop) if deadline(one, *stop) <= now => {
                Some(Op::Kill { container: container_name, id })
            }
            None | Some(StopProgress::Unsent(_)) => {
                let signal = signal::to_stop(container.stop_signal.as_deref());
                Some(Op::Terminate { container: container_name, id, signal })
            }
            Some(StopProgress::Signalled(_) | StopProgress::Killed(_)) => None,
        }
    });
    ends.chain(all().filter_map(|(one, container)| tail(one, &container.state))).collect()
}

/// When a container that got its stop signal gets SIGKILL, or gets it again.
fn deadline(one: &AssignedContainer, stop: StopProgress) -> Timestamp {
    match stop {
        StopProgress::Unsent(at) | StopProgress::Signalled(at) => {
            at.plus(Duration::from_secs(one.stop_timeout_secs.into()))
        }
        StopProgress::Killed(at) => at.plus(KILL_REPEAT),
    }
}

fn tail(one: &AssignedContainer, state: &ContainerState) -> Option<Op> {
    let unread = state.exit().is_some_and(|exit| exit.log_tail.is_none());
    let id = state.id().filter(|_| unread)?;
    Some(Op::Tail { container: one.name.clone(), id: id.clone() })
}

/// Containers that joined a network are removed before the one that owns it.
fn reap(task: &AssignedTask, state: &TaskState, now: Timestamp) -> Vec<Op> {
    let removed =
        in_start_order(task).rev().filter_map(|one| match &state.container(&one.name).state {
            ContainerState::Created { id } | ContainerState::Exited { id, .. } => {
                Some(Op::Remove { container: one.name.clone(), id: id.clone() })
            }
            ContainerState::Unknown
            | ContainerState::NotCreated
            | ContainerState::Running { .. }
            | ContainerState::Removed => None,
        });
    let stops = stop(task, state, now).into_iter().filter(|op| !matches!(op, Op::Tail { .. }));
    stops.chain(removed).collect()
}

/// ECS's rule of `restartPolicy`: a container that ran for `restartAttemptPeriod` is restarted, unless it exited with one of
/// `ignoredExitCodes`.
fn is_restarted(one: &AssignedContainer, exit: &Exit) -> bool {
    one.restart_policy.as_ref().is_some_and(|policy| {
        policy.enabled
            && !policy.ignored_exit_codes.contains(&exit.code)
            && exit.ran >= Duration::from_secs(policy.restart_attempt_period.into())
    })
}

/// Whether a container existed and was removed.
fn is_gone(task: &AssignedTask, state: &ContainerState) -> bool {
    match state {
        ContainerState::Removed => true,
        ContainerState::NotCreated => task.started,
        ContainerState::Unknown
        | ContainerState::Created { .. }
        | ContainerState::Running { .. }
        | ContainerState::Exited { .. } => false,
    }
}

#[cfg(test)]
mod tests;
