//! Every sentence of the agent about tasks and its host. No code decides on one: what there is to decide on is typed, in
//! `error`, `docker_fault` and `exit`. With the feature `reworded` all of them come out in other words.

use std::fmt;

use model::sentence::say;
use model::{AssignedTask, ContainerName, PinnedImage};

use crate::docker_fault::CommandFault;
use crate::error::{DockerError, MirrorError, NetworkError, OpError};
use crate::exit::Exit;
use crate::op::WrongPlatform;
use crate::spec::PIDS;

/// The name of this program's processes.
const OWN_PROGRAM: &str = "berth";

/// A formatted sentence.
macro_rules! sentence {
    ($($argument:tt)*) => {
        say(format!($($argument)*))
    };
}

/// An error of Docker that passes.
pub(crate) fn docker(error: &DockerError) -> String {
    error.to_string()
}

/// Docker does not create a container.
pub(crate) fn create_refused(container: &ContainerName, message: &str) -> String {
    sentence!("Docker refuses to create container `{container}`: {message}")
}

/// Docker does not start a container.
pub(crate) fn start_refused(container: &ContainerName, message: &str) -> String {
    sentence!("container `{container}` cannot be started: {message}{}", hint(message))
}

/// A host port of the task is bound already.
pub(crate) fn host_port_in_use(task: &AssignedTask, message: &str) -> String {
    let ports: Vec<String> =
        task.ports.iter().map(|binding| binding.host_port.to_string()).collect();
    sentence!(
        "a host port of the task ({}) is taken on this instance by something that is not Berth's: {message}",
        ports.join(", ")
    )
}

/// The same where it is known which program listens on it.
pub(crate) fn host_port_held(port: u16, program: &str, pid: &str) -> String {
    let holder = if program == OWN_PROGRAM {
        format!("Berth's own on this instance (pid {pid})")
    } else {
        format!("taken on this instance by `{program}` (pid {pid})")
    };
    sentence!(
        "host port {port} is {holder}: say another hostPort, or 0 to leave the choice to Berth"
    )
}

/// A container has as many processes and threads as it may.
pub(crate) fn process_limit(container: &ContainerName) -> String {
    sentence!(
        "container `{container}` has {PIDS} processes and threads, which is the most that it may: it can start no more"
    )
}

/// A container has filled what it may have of the disk.
pub(crate) fn wrote_too_much(container: &ContainerName, bytes: u64, most: u64) -> String {
    sentence!(
        "container `{container}` has written {} MiB in its own file system, and may write {most}: write less, remove what is \
         not needed, or raise `agent.container_disk` on this instance",
        bytes >> 20
    )
}

/// The task's IP address is used already.
pub(crate) fn address_in_use(task: &AssignedTask) -> String {
    sentence!(
        "the task's address `{}` is taken on this instance by something that is not Berth's",
        task.address
    )
}

/// A container of somebody else has the name.
pub(crate) fn name_in_use(container: &ContainerName) -> String {
    sentence!(
        "the name of container `{container}` is taken on this instance by a container that is not Berth's: remove that one"
    )
}

/// The index has no image for the platform.
pub(crate) fn no_platform(image: &str, message: &str) -> String {
    sentence!(
        "image `{image}` is not built for this instance's platform: {message}; push it with `docker buildx build --platform`"
    )
}

/// The image is for another platform.
pub(crate) fn wrong_platform(wrong: &WrongPlatform) -> String {
    let WrongPlatform { image, built_for, host } = wrong;
    sentence!(
        "image `{}` is built for {built_for}, and this instance runs {host}: push one that is built for it",
        short_name(image)
    )
}

/// Docker does not pull an image, for a cause of its own.
pub(crate) fn pull_failed(image: &str, message: &str) -> String {
    sentence!("image `{image}` cannot be pulled: {message}")
}

/// Docker cannot read an image with a layer that is compressed with zstd.
pub(crate) fn zstd(image: &str, message: &str) -> String {
    sentence!(
        "image `{image}` has a layer that is compressed with zstd, which this Docker cannot read ({message}): use Docker 23.0 \
         or later on this instance, or push the image with gzip, as `docker buildx build --output \
         type=image,compression=gzip,force-compression=true,push=true` does"
    )
}

/// The mirror could not serve a pull.
pub(crate) fn mirror(image: &str, error: &MirrorError) -> String {
    match error {
        MirrorError::NotFound => sentence!(
            "image `{image}` is not in the registry any more, or a part of it is missing: push it again"
        ),
        MirrorError::Denied => {
            sentence!("the registry does not let this instance read image `{image}`")
        }
        MirrorError::Timeout(_) | MirrorError::Status(_) | MirrorError::Broken(_) => {
            sentence!("image `{image}` waits for the server: {error}")
        }
        MirrorError::Corrupt { .. } => sentence!(
            "image `{image}` is damaged in the registry or on the way: {error}; push it again"
        ),
    }
}

/// The image of a container as people can still read it.
pub(crate) fn image_of(task: &AssignedTask, container: &ContainerName) -> String {
    let image = task.containers.iter().find(|one| one.name == *container).map(|one| &one.image);
    image.map_or_else(|| container.to_string(), short_name)
}

fn short_name(image: &PinnedImage) -> String {
    format!("{}@{}:{}", image.repository, image.digest.algorithm(), image.digest.short())
}

/// How a container exited; `memory` is its limit in MiB.
pub(crate) fn exited(container: &ContainerName, exit: &Exit, memory: Option<u64>) -> String {
    let code = exit.code;
    if exit.by_docker {
        return sentence!(
            "container `{container}` ended with Docker, which was restarted (exit code {code})"
        );
    }
    if exit.is_killed_for_memory() {
        let limit = memory.map(|limit| format!(": its limit is {limit} MiB")).unwrap_or_default();
        return sentence!("container `{container}` ran out of memory{limit} (exit code {code})");
    }
    if let Some(cause) = exit.command_error() {
        let hint = hint(cause);
        return sentence!(
            "container `{container}` cannot run its command: {cause} (exit code {code}){hint}"
        );
    }
    if exit.out_of_memory {
        return sentence!(
            "container `{container}` exited with code {code}; before that, the kernel killed a process of it for memory"
        );
    }
    match code {
        137 => sentence!("container `{container}` exited with code 137: it was killed"),
        _ => sentence!("container `{container}` exited with code {code}"),
    }
}

/// An essential container exited, and so the task ends.
pub(crate) fn essential_exited(
    container: &ContainerName,
    exit: &Exit,
    memory: Option<u64>,
) -> String {
    sentence!("essential {}", exited(container, exit, memory))
}

/// An essential container is gone, and so the task ends.
pub(crate) fn essential_removed(container: &ContainerName) -> String {
    sentence!("essential container `{container}` is gone: it was removed, but not by Berth")
}

/// An Op names a container that its task does not have.
pub(crate) fn no_such_container(container: &ContainerName) -> String {
    sentence!("the task has no container `{container}`")
}

/// Tasks cannot be bounded as a whole.
pub(crate) fn divides_limits(error: &std::io::Error) -> String {
    sentence!(
        "cpu and memory of a whole task are divided over its containers, since no control group can be made for it: {error}"
    )
}

/// The instance has no subnet.
pub(crate) fn no_subnet() -> String {
    sentence!("waits for the server to give this instance a subnet")
}

/// Why an Op did not work.
pub(crate) fn op_error(error: &OpError) -> &str {
    match error {
        OpError::Retry(reason)
        | OpError::NetworkMissing(reason)
        | OpError::RetryLimited { reason, .. }
        | OpError::Stale(reason) => reason,
        OpError::Fatal(stopped) | OpError::StaleLimited(stopped) => &stopped.reason,
        OpError::ContainerMissing => "it is not there",
        OpError::ImageMissing => "its image is not there",
    }
}

/// What to do about a command that does not run.
fn hint(message: &str) -> &'static str {
    match CommandFault::of(message) {
        Some(CommandFault::WrongFormat) => {
            "; the image is built for another architecture, or the file is no program"
        }
        Some(CommandFault::NotFound) => {
            "; check entryPoint and command: the image has no such program, or lacks its interpreter or libraries"
        }
        Some(CommandFault::NotExecutable) => "; the file is not executable by the container's user",
        Some(CommandFault::UnknownUser) => "; check user: the image does not know it",
        None => "",
    }
}

impl fmt::Display for DockerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status: 0, message } => {
                f.write_str(&sentence!("Docker answers: {message}"))
            }
            Self::Refused { status, message } => {
                f.write_str(&sentence!("Docker answers {status}: {message}"))
            }
            Self::Timeout(limit) => {
                f.write_str(&sentence!("Docker has not answered for {} s", limit.as_secs()))
            }
            Self::Unreachable(cause) => f.write_str(&sentence!("Docker does not answer: {cause}")),
        }
    }
}

impl fmt::Display for MirrorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str(&sentence!("the registry does not have it")),
            Self::Denied => {
                f.write_str(&sentence!("the registry does not give it to this instance"))
            }
            Self::Timeout(limit) => {
                f.write_str(&sentence!("the registry has sent nothing for {} s", limit.as_secs()))
            }
            Self::Status(status) => f.write_str(&sentence!("the registry answers {status}")),
            Self::Broken(cause) => {
                f.write_str(&sentence!("the connection to the registry broke: {cause}"))
            }
            Self::Corrupt { wanted, found } => {
                f.write_str(&sentence!("the bytes hash to `{found}`, not to `{wanted}`"))
            }
        }
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SubnetInUse(subnet) => f.write_str(&sentence!("the subnet `{subnet}` is taken by another Docker network; the server will choose another one"
            )),
            Self::InUse { network, had, wanted, containers } => f.write_str(&sentence!("the Docker network `{network}` has the subnet `{had}` instead of `{wanted}`, and {containers} containers use it: remove them with `docker rm --force`"
            )),
            Self::Docker { network, error } => {
                f.write_str(&sentence!("the Docker network `{network}` cannot be made: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tests::name;

    #[test]
    fn an_exit_says_what_a_person_needs() {
        let exit = |code: i64, out_of_memory: bool, tail: &[&str]| Exit {
            by_docker: false,
            code,
            out_of_memory,
            at: model::Timestamp::EPOCH,
            ran: Duration::ZERO,
            log_tail: Some(tail.iter().map(|line| (*line).to_owned()).collect()),
        };
        let said = |exit: &Exit| exited(&name("main"), exit, Some(64));
        assert_eq!(said(&exit(1, false, &[])), "container `main` exited with code 1");
        assert_eq!(
            said(&exit(137, true, &[])),
            "container `main` ran out of memory: its limit is 64 MiB (exit code 137)"
        );
        let line = "[FATAL tini (7)] exec /nothing failed: No such file or directory";
        assert_eq!(
            said(&exit(127, false, &[line])),
            "container `main` cannot run its command: exec /nothing failed: No such file or directory (exit code 127); check entryPoint and command: the image has no such program, or lacks its interpreter or libraries"
        );
        assert_eq!(said(&exit(1, false, &[line])), "container `main` exited with code 1");
    }
}
