//! What to do next for a task: a pure function of what is wanted, what is known and the time. It never asks for what has been
//! done, and whatever happens in between, doing what it says until it says nothing brings the task to its end.
//!
//! The first essential container has the task's address and ports, and starts first; the others join its network and start
//! in the order of the definition. Nothing starts before all images are there.

use std::time::Duration;

use model::{AssignedContainer, AssignedTask, StopCode, Stopped, TaskStatus, Timestamp, Wanted};

use crate::known::{Container, Exit, Failure, Image, Known, Life, Told};
use crate::op::{Network, Op};
use crate::trouble;

/// How long a container that was killed may stay before it is killed again.
const KILL_AGAIN: Duration = Duration::from_secs(10);

/// The next Op, if there is anything to do now.
pub(crate) fn next(task: &AssignedTask, known: &Known, now: Timestamp) -> Option<Op> {
    let ops = match task.wanted {
        Wanted::Run if ending(task, known).is_none() => run(task, known).into_iter().collect(),
        Wanted::Run | Wanted::Stop => stop(task, known, now),
        Wanted::Reap => reap(task, known, now),
    };
    ops.into_iter().find(|op| !known.is_held(op, now))
}

/// When there may be something to do although nothing has happened.
pub(crate) fn wake(task: &AssignedTask, known: &Known, now: Timestamp) -> Option<Timestamp> {
    let deadlines = task.containers.iter().filter_map(|one| {
        let Life::Running { told, .. } = known.container(&one.name).life else { return None };
        told.map(|told| deadline(one, told))
    });
    deadlines.filter(|at| now < *at).chain(known.held_until(now)).min()
}

/// Why the task ends by itself, if it does.
pub(crate) fn ending(task: &AssignedTask, known: &Known) -> Option<Stopped> {
    if let Some(Failure { stopped, .. }) = &known.failure {
        return Some(stopped.clone());
    }
    let essential = || {
        let all = task.containers.iter().filter(|one| one.essential);
        all.map(|one| (one, &known.container(&one.name).life))
    };
    let stopped = |reason| Stopped { code: StopCode::EssentialContainerExited, reason };
    // The first that exited is to blame; the others may have been told to.
    let first = essential()
        .filter_map(|(one, life)| Some((one, life.exit()?)))
        .filter(|(one, exit)| !is_restarted(one, exit))
        .min_by_key(|(_, exit)| exit.at);
    if let Some((one, exit)) = first {
        return Some(stopped(format!("essential {}", trouble::end(&one.name, exit, one.memory))));
    }
    let (one, _) = essential().find(|(_, life)| is_gone(task, life))?;
    Some(stopped(format!(
        "essential container `{}` is gone: it was removed, but not by Berth",
        one.name
    )))
}

/// Where the task is, as its agent reports it; None while nobody knows.
pub(crate) fn status(task: &AssignedTask, known: &Known) -> Option<TaskStatus> {
    let lives = || task.containers.iter().map(|one| &known.container(&one.name).life);
    match task.wanted {
        Wanted::Reap => return Some(TaskStatus::Stopped),
        Wanted::Run if ending(task, known).is_none() || awaits_its_reason(task, known) => {
            if lives().any(|life| matches!(life, Life::Unseen)) {
                return None;
            }
            let started = lives().all(|life| {
                is_gone(task, life) || matches!(life, Life::Running { .. } | Life::Exited { .. })
            });
            return Some(if started { TaskStatus::Running } else { TaskStatus::Activating });
        }
        Wanted::Run | Wanted::Stop => {}
    }
    let is_over = |life: &Life| match life {
        Life::Absent | Life::Created { .. } | Life::Gone => true,
        Life::Exited { exit, .. } => exit.tail.is_some(),
        Life::Unseen | Life::Running { .. } => false,
    };
    Some(if lives().all(is_over) { TaskStatus::Stopped } else { TaskStatus::Stopping })
}

/// Whether the last line of a container's log is needed to say why its task ends.
fn awaits_its_reason(task: &AssignedTask, known: &Known) -> bool {
    known.failure.is_none()
        && task.containers.iter().filter(|one| one.essential).any(|one| {
            let exit = known.container(&one.name).life.exit();
            exit.is_some_and(|exit| trouble::is_refusal(exit.code) && exit.tail.is_none())
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

fn run(task: &AssignedTask, known: &Known) -> Option<Op> {
    let all = || {
        let all = in_start_order(task).map(|one| (one, known.container(&one.name)));
        all.filter(|(_, container)| !is_gone(task, &container.life))
    };
    if all().any(|(_, container)| container.life == Life::Unseen) {
        return None;
    }
    let mut created = all().filter(|(_, container)| container.life == Life::Absent);
    let lacking = created.find_map(|(one, container)| match container.image {
        Image::Unlooked => Some(Op::Find { container: one.name.clone() }),
        Image::Missing => Some(Op::Pull { container: one.name.clone() }),
        Image::Here(_) => None,
    });
    let owner = network_owner(task).map(|owner| (owner, known.container(&owner.name)));
    lacking
        .or_else(|| all().find_map(|(one, container)| bring_up(one, container, owner)))
        .or_else(|| all().find_map(|(one, container)| tail(one, &container.life)))
}

/// What brings one container up.
fn bring_up(
    one: &AssignedContainer,
    known: &Container,
    owner: Option<(&AssignedContainer, &Container)>,
) -> Option<Op> {
    let container = one.name.clone();
    let owner = owner.filter(|(owner, _)| owner.name != one.name).map(|(_, known)| known);
    match &known.life {
        Life::Absent => {
            let Image::Here(image) = &known.image else { return None };
            let network = match owner {
                None => Network::Own,
                Some(owner) => Network::Of(owner.life.id()?.to_owned()),
            };
            Some(Op::Create { container, image: image.clone(), network })
        }
        Life::Created { id } => Some(Op::Start { container, id: id.clone() }),
        Life::Exited { id, exit } if is_restarted(one, exit) => {
            Some(Op::Start { container, id: id.clone() })
        }
        Life::Running { id, .. } => {
            let is_running = |life: &Life| matches!(life, Life::Running { .. });
            let owner = owner.filter(|owner| is_running(&owner.life))?;
            // The network that it has joined went with the owner's last run.
            (known.started < owner.started).then(|| Op::Restart {
                container,
                id: id.clone(),
                timeout_secs: one.stop_timeout_secs,
            })
        }
        Life::Exited { .. } | Life::Unseen | Life::Gone => None,
    }
}

fn stop(task: &AssignedTask, known: &Known, now: Timestamp) -> Vec<Op> {
    let all = || in_start_order(task).map(|one| (one, known.container(&one.name)));
    let ends = all().filter_map(|(one, container)| {
        let Life::Running { id, told, .. } = &container.life else { return None };
        let (container_name, id) = (one.name.clone(), id.clone());
        match told {
            None => {
                let signal = container.stop_signal.clone().unwrap_or_else(|| "SIGTERM".to_owned());
                Some(Op::Terminate { container: container_name, id, signal })
            }
            Some(told) if deadline(one, *told) <= now => {
                Some(Op::Kill { container: container_name, id })
            }
            Some(_) => None,
        }
    });
    ends.chain(all().filter_map(|(one, container)| tail(one, &container.life))).collect()
}

/// When a container that was told to stop is killed.
fn deadline(one: &AssignedContainer, told: Told) -> Timestamp {
    match told {
        Told::Stop(at) => at.plus(Duration::from_secs(one.stop_timeout_secs.into())),
        Told::Kill(at) => at.plus(KILL_AGAIN),
    }
}

fn tail(one: &AssignedContainer, life: &Life) -> Option<Op> {
    let unread = life.exit().is_some_and(|exit| exit.tail.is_none());
    let id = life.id().filter(|_| unread)?;
    Some(Op::Tail { container: one.name.clone(), id: id.to_owned() })
}

/// Those that joined a network go before the one that has it.
fn reap(task: &AssignedTask, known: &Known, now: Timestamp) -> Vec<Op> {
    let removed =
        in_start_order(task).rev().filter_map(|one| match &known.container(&one.name).life {
            Life::Created { id } | Life::Exited { id, .. } => {
                Some(Op::Remove { container: one.name.clone(), id: id.clone() })
            }
            Life::Unseen | Life::Absent | Life::Running { .. } | Life::Gone => None,
        });
    let stops = stop(task, known, now).into_iter().filter(|op| !matches!(op, Op::Tail { .. }));
    stops.chain(removed).collect()
}

/// By ECS's rule: one that ran for its period is restarted, unless it exited with a code that counts as its end.
fn is_restarted(one: &AssignedContainer, exit: &Exit) -> bool {
    one.restart_policy.as_ref().is_some_and(|policy| {
        policy.enabled
            && !policy.ignored_exit_codes.contains(&exit.code)
            && exit.ran >= Duration::from_secs(policy.restart_attempt_period.into())
    })
}

/// Whether a container was there and is not any more.
fn is_gone(task: &AssignedTask, life: &Life) -> bool {
    match life {
        Life::Gone => true,
        Life::Absent => task.started,
        Life::Unseen | Life::Created { .. } | Life::Running { .. } | Life::Exited { .. } => false,
    }
}

#[cfg(test)]
mod tests;
