//! What becomes of an Op that did not work. What lies with Docker or the server being away is retried without a limit; only
//! what can never work ends a task.

use model::{AssignedTask, ContainerName, StopCode, Stopped};

use crate::docker_fault::DockerFault;
use crate::error::{DockerError, MirrorError, OpError};
use crate::op::Op;
use crate::sentences;

/// What Docker's error means for an Op of a task.
pub(crate) fn docker(op: &Op, task: &AssignedTask, error: &DockerError) -> OpError {
    let reason = || sentences::docker(error);
    let (fault, message) = match error {
        DockerError::Refused { status, message } => {
            let message = message.trim();
            (DockerFault::of(*status, message), message)
        }
        DockerError::Timeout(_) | DockerError::Unreachable(_) => {
            return unanswered(op, task, error);
        }
    };
    if fault == DockerFault::Restarting {
        return OpError::Retry(reason());
    }
    match op {
        Op::Find { .. } => OpError::Retry(reason()),
        Op::Pull { container } => pull(task, container, fault, message),
        Op::Create { .. } | Op::Start { .. } | Op::Restart { .. } => match fault {
            DockerFault::NetworkNotFound => OpError::NetworkMissing(reason()),
            DockerFault::Conflict | DockerFault::NotFound => OpError::Stale(reason()),
            fault => create_or_start(op, task, fault, message),
        },
        Op::Terminate { .. } | Op::Kill { .. }
            if matches!(fault, DockerFault::NotFound | DockerFault::ContainerNotFound) =>
        {
            OpError::ContainerMissing
        }
        Op::Terminate { .. } | Op::Kill { .. } | Op::Remove { .. } => OpError::Stale(reason()),
        Op::Tail { .. } => OpError::RetryLimited(failed_to_start(reason())),
    }
}

/// Whether it was done is unknown.
fn unanswered(op: &Op, task: &AssignedTask, error: &DockerError) -> OpError {
    let reason = sentences::docker(error);
    match op {
        Op::Create { .. } | Op::Start { .. } | Op::Restart { .. } | Op::Remove { .. } => {
            OpError::Stale(reason)
        }
        Op::Tail { .. } => OpError::RetryLimited(failed_to_start(reason)),
        Op::Find { .. } | Op::Pull { .. } | Op::Terminate { .. } | Op::Kill { .. } => {
            OpError::Retry(reason)
        }
    }
}

fn create_or_start(op: &Op, task: &AssignedTask, fault: DockerFault, message: &str) -> OpError {
    let is_create = matches!(op, Op::Create { .. });
    let reason = match fault {
        DockerFault::ImageNotFound if is_create => return OpError::ImageMissing,
        // The container whose network it would join.
        DockerFault::ContainerNotFound if is_create => {
            return OpError::Stale(sentences::create_refused(op.container(), message));
        }
        DockerFault::ContainerNotFound => return OpError::ContainerMissing,
        DockerFault::HostPortInUse => sentences::host_port_in_use(task, message),
        DockerFault::AddressInUse => sentences::address_in_use(task),
        _ if is_create => sentences::create_refused(op.container(), message),
        _ => sentences::start_refused(op.container(), message),
    };
    OpError::Fatal(Stopped { code: stop_code(fault), reason })
}

/// Who must act: whoever runs the instance where it lacks something or something else has taken it, else whoever made the
/// task definition or the image.
fn stop_code(fault: DockerFault) -> StopCode {
    match fault {
        DockerFault::HostPortInUse
        | DockerFault::AddressInUse
        | DockerFault::AddressUnavailable
        | DockerFault::DiskFull => StopCode::InfrastructureHealth,
        DockerFault::Restarting
        | DockerFault::Conflict
        | DockerFault::NotFound
        | DockerFault::ContainerNotFound
        | DockerFault::ImageNotFound
        | DockerFault::NetworkNotFound
        | DockerFault::PlatformMismatch
        | DockerFault::ManifestUnknown
        | DockerFault::Command(_)
        | DockerFault::Other => StopCode::TaskFailedToStart,
    }
}

fn pull(
    task: &AssignedTask,
    container: &ContainerName,
    fault: DockerFault,
    message: &str,
) -> OpError {
    let image = sentences::image_of(task, container);
    match fault {
        DockerFault::PlatformMismatch => {
            OpError::Fatal(failed_to_start(sentences::no_platform(&image, message)))
        }
        DockerFault::ManifestUnknown => mirror(task, container, &MirrorError::NotFound),
        fault => {
            let code = stop_code(fault);
            let stopped = Stopped { code, reason: sentences::pull_failed(&image, message) };
            if code == StopCode::InfrastructureHealth {
                OpError::Fatal(stopped)
            } else {
                OpError::RetryLimited(stopped)
            }
        }
    }
}

/// What it means for a pull that the mirror could not serve it.
pub(crate) fn mirror(
    task: &AssignedTask,
    container: &ContainerName,
    error: &MirrorError,
) -> OpError {
    let reason = sentences::mirror(&sentences::image_of(task, container), error);
    match error {
        MirrorError::NotFound => OpError::Fatal(failed_to_start(reason)),
        MirrorError::Denied | MirrorError::Corrupt { .. } => {
            OpError::RetryLimited(failed_to_start(reason))
        }
        MirrorError::Timeout(_) | MirrorError::Status(_) | MirrorError::Broken(_) => {
            OpError::Retry(reason)
        }
    }
}

fn failed_to_start(reason: String) -> Stopped {
    Stopped { code: StopCode::TaskFailedToStart, reason }
}

#[cfg(test)]
mod tests;
