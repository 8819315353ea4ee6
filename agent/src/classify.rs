//! What becomes of an Op that did not work. What lies with Docker or the server being away is retried without a limit; only
//! what can never work ends a task.

use model::{AssignedTask, ContainerName, StopCause, Stopped};

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
            return unanswered(op, error);
        }
    };
    if fault == DockerFault::Restarting {
        return OpError::Retry(reason());
    }
    match op {
        Op::Find { .. } => OpError::Retry(reason()),
        Op::Pull { container } => pull(task, container, fault, message),
        // A name that is in use: the inspection tells by whose container.
        Op::Create { .. } if fault == DockerFault::Conflict => OpError::Stale(reason()),
        Op::Create { .. } | Op::Start { .. } | Op::Restart { .. } => {
            if fault == DockerFault::NetworkNotFound {
                OpError::NetworkMissing(reason())
            } else if fault == DockerFault::NetworkOwnerStopped {
                OpError::Stale(reason())
            } else {
                create_or_start(op, task, fault, message)
            }
        }
        Op::Terminate { .. } | Op::Kill { .. }
            if matches!(fault, DockerFault::NotFound | DockerFault::ContainerNotFound) =>
        {
            OpError::ContainerMissing
        }
        Op::Terminate { .. } | Op::Kill { .. } | Op::Remove { .. } => OpError::Stale(reason()),
        Op::Tail { .. } => OpError::RetryLimited { reason: reason(), cause: None },
    }
}

/// Whether it was done is unknown.
fn unanswered(op: &Op, error: &DockerError) -> OpError {
    let reason = sentences::docker(error);
    match op {
        Op::Create { .. } | Op::Start { .. } | Op::Restart { .. } | Op::Remove { .. } => {
            OpError::Stale(reason)
        }
        Op::Tail { .. } => OpError::RetryLimited { reason, cause: None },
        Op::Find { .. } | Op::Pull { .. } | Op::Terminate { .. } | Op::Kill { .. } => {
            OpError::Retry(reason)
        }
    }
}

fn create_or_start(op: &Op, task: &AssignedTask, fault: DockerFault, message: &str) -> OpError {
    let is_create = matches!(op, Op::Create { .. });
    let (otherwise, mut reason) = if is_create {
        let reason = sentences::create_refused(op.container(), message);
        (StopCause::ContainerNotCreated, reason)
    } else {
        (StopCause::ContainerNotStarted, sentences::start_refused(op.container(), message))
    };
    if fault == DockerFault::ImageNotFound && is_create {
        return OpError::ImageMissing;
    }
    if fault == DockerFault::ContainerNotFound && !is_create {
        return OpError::ContainerMissing;
    }
    if fault == DockerFault::HostPortInUse {
        reason = sentences::host_port_in_use(task, message);
    } else if fault == DockerFault::AddressInUse {
        reason = sentences::address_in_use(task);
    }
    let stopped = Stopped::new(instance_fault(fault).unwrap_or(otherwise), reason);
    // At a creation a missing container is the one whose network it would join.
    let is_state = matches!(
        fault,
        DockerFault::Conflict | DockerFault::NotFound | DockerFault::ContainerNotFound
    );
    if is_state { OpError::StaleLimited(stopped) } else { OpError::Fatal(stopped) }
}

/// What the instance lacks or something else on it has taken; None for what lies with the task definition or the image.
fn instance_fault(fault: DockerFault) -> Option<StopCause> {
    match fault {
        DockerFault::HostPortInUse => Some(StopCause::PortTaken),
        DockerFault::AddressInUse => Some(StopCause::AddressTaken),
        DockerFault::AddressUnavailable => Some(StopCause::NetworkMismatch),
        DockerFault::DiskFull => Some(StopCause::DiskFull),
        DockerFault::Restarting
        | DockerFault::Conflict
        | DockerFault::NotFound
        | DockerFault::ContainerNotFound
        | DockerFault::ImageNotFound
        | DockerFault::NetworkNotFound
        | DockerFault::NetworkOwnerStopped
        | DockerFault::PlatformMismatch
        | DockerFault::ManifestUnknown
        | DockerFault::Command(_)
        | DockerFault::Other => None,
    }
}

fn pull(
    task: &AssignedTask,
    container: &ContainerName,
    fault: DockerFault,
    message: &str,
) -> OpError {
    if fault == DockerFault::ManifestUnknown {
        return mirror(task, container, &MirrorError::NotFound);
    }
    let image = sentences::image_of(task, container);
    if fault == DockerFault::PlatformMismatch {
        let reason = sentences::no_platform(&image, message);
        return OpError::Fatal(Stopped::new(StopCause::ImagePlatform, reason));
    }
    let reason = sentences::pull_failed(&image, message);
    match instance_fault(fault) {
        Some(cause) => OpError::Fatal(Stopped::new(cause, reason)),
        None => OpError::RetryLimited { reason, cause: Some(StopCause::ImagePull) },
    }
}

/// What it means that Docker refused an image with a layer that is compressed with zstd: where it has no other cause, that
/// this Docker cannot read it.
pub(crate) fn zstd(task: &AssignedTask, container: &ContainerName, error: &DockerError) -> OpError {
    if let DockerError::Refused { status, message } = error
        && DockerFault::of(*status, message) == DockerFault::Other
    {
        let image = sentences::image_of(task, container);
        let reason = sentences::zstd(&image, message.trim());
        return OpError::Fatal(Stopped::new(StopCause::ImagePull, reason));
    }
    docker(&Op::Pull { container: container.clone() }, task, error)
}

/// What it means for a pull that the mirror could not serve it.
pub(crate) fn mirror(
    task: &AssignedTask,
    container: &ContainerName,
    error: &MirrorError,
) -> OpError {
    let reason = sentences::mirror(&sentences::image_of(task, container), error);
    match error {
        MirrorError::NotFound => OpError::Fatal(Stopped::new(StopCause::ImageMissing, reason)),
        MirrorError::Denied => {
            OpError::RetryLimited { reason, cause: Some(StopCause::ImageDenied) }
        }
        MirrorError::Corrupt { .. } => {
            OpError::RetryLimited { reason, cause: Some(StopCause::ImageDamaged) }
        }
        MirrorError::Timeout(_) | MirrorError::Status(_) | MirrorError::Broken(_) => {
            OpError::Retry(reason)
        }
    }
}

#[cfg(test)]
mod tests;
