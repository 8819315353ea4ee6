//! What an Op that did not work means for its task, in sentences that a person can act on. What lies with Docker or the server
//! being away is tried again without an end; only what can never work ends a task.

use std::time::Duration;

use model::{AssignedTask, ContainerName, PinnedImage, StopCode};

use crate::op::Op;
use crate::task_state::Exit;

/// Why an Op did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpError {
    /// Somebody who is needed is away or slow: again, as often as it takes.
    Retry(String),
    /// The instance's network is not there: again, once it is.
    NetworkMissing(String),
    /// It may work the next time, but not for ever.
    RetryLimited(String),
    /// It can never work.
    Fatal(StopCode, String),
    /// The container is not as the Op assumed, or nobody knows: look at it.
    Stale(String),
    /// The container is not there.
    ContainerMissing,
    /// The image is not there.
    ImageMissing,
}

/// What Docker answers instead of doing it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DockerError {
    /// It refuses.
    #[error("Docker answers {status}: {message}")]
    Refused {
        /// The HTTP status; 0 for what it says in the middle of a stream.
        status: u16,
        /// Its message.
        message: String,
    },
    /// It says nothing.
    #[error("Docker has not answered for {} s", .0.as_secs())]
    Silent(Duration),
    /// It cannot be reached, or its answer cannot be read.
    #[error("Docker does not answer: {0}")]
    Unreachable(String),
}

/// What stood in the way of a pull on this side of Docker: the mirror knows better than Docker's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MirrorError {
    /// The registry does not have it.
    NotFound,
    /// The registry does not give it to this instance.
    Denied,
    /// The server is away or in error.
    Unavailable(String),
    /// The bytes are not those that the digest names.
    Corrupt(String),
}

/// What Docker's answer to an Op means.
pub(crate) fn classify(op: &Op, task: &AssignedTask, error: &DockerError) -> OpError {
    let (status, message) = match error {
        DockerError::Refused { status, message } => (*status, message.trim()),
        DockerError::Silent(_) | DockerError::Unreachable(_) => {
            return classify_unanswered(op, error);
        }
    };
    if is_daemon_restart(message) {
        return OpError::Retry(error.to_string());
    }
    match op {
        Op::Find { .. } => OpError::Retry(error.to_string()),
        Op::Pull { container } => classify_pull(task, container, message),
        Op::Create { container, .. } => classify_create(container, status, message),
        Op::Start { container, .. } | Op::Restart { container, .. } => {
            classify_start(task, container, status, message)
        }
        Op::Terminate { .. } | Op::Kill { .. } if status == 404 => OpError::ContainerMissing,
        Op::Terminate { .. } | Op::Kill { .. } | Op::Remove { .. } => {
            OpError::Stale(error.to_string())
        }
        Op::Tail { .. } => OpError::RetryLimited(error.to_string()),
    }
}

/// Nobody knows whether it was done.
fn classify_unanswered(op: &Op, error: &DockerError) -> OpError {
    match op {
        Op::Create { .. } | Op::Start { .. } | Op::Restart { .. } | Op::Remove { .. } => {
            OpError::Stale(error.to_string())
        }
        Op::Tail { .. } => OpError::RetryLimited(error.to_string()),
        Op::Find { .. } | Op::Pull { .. } | Op::Terminate { .. } | Op::Kill { .. } => {
            OpError::Retry(error.to_string())
        }
    }
}

/// What Docker says while it ends or begins.
fn is_daemon_restart(message: &str) -> bool {
    let signs = [
        "context canceled",
        "transport is closing",
        "connection error: desc",
        "containerd.sock",
        "shutting down",
        "the daemon is not ready",
    ];
    signs.iter().any(|sign| message.contains(sign))
}

fn classify_create(container: &ContainerName, status: u16, message: &str) -> OpError {
    if status == 409 {
        return OpError::Stale(format!("Docker answers: {message}"));
    }
    if status == 404 && message.contains("No such image") {
        return OpError::ImageMissing;
    }
    if is_no_network(message) {
        return OpError::NetworkMissing(format!("Docker answers: {message}"));
    }
    let code = stop_code(message);
    OpError::Fatal(code, format!("Docker refuses to create container `{container}`: {message}"))
}

fn classify_start(
    task: &AssignedTask,
    container: &ContainerName,
    status: u16,
    message: &str,
) -> OpError {
    if is_no_network(message) {
        return OpError::NetworkMissing(format!("Docker answers: {message}"));
    }
    if message.contains("cannot join network of a non running container") {
        return OpError::Retry(format!("Docker answers: {message}"));
    }
    if status == 404 && message.contains("No such container") {
        return OpError::ContainerMissing;
    }
    if message.contains("port is already allocated")
        || message.contains("bind: address already in use")
    {
        let ports: Vec<String> =
            task.ports.iter().map(|binding| binding.host_port.to_string()).collect();
        let reason = format!(
            "a host port of the task ({}) is taken on this instance by something that is not Berth's: {message}",
            ports.join(", ")
        );
        return OpError::Fatal(StopCode::InfrastructureHealth, reason);
    }
    if message.contains("Address already in use") {
        let reason = format!(
            "the task's address `{}` is taken on this instance by something that is not Berth's",
            task.address
        );
        return OpError::Fatal(StopCode::InfrastructureHealth, reason);
    }
    let hint = hint(message);
    OpError::Fatal(
        stop_code(message),
        format!("container `{container}` cannot be started: {message}{hint}"),
    )
}

fn is_no_network(message: &str) -> bool {
    message.contains("network") && message.contains("not found")
}

/// Whose fault it is: the host's where it has no room or no such address.
fn stop_code(message: &str) -> StopCode {
    let signs = [
        "no space left on device",
        "cannot assign requested address",
        "does not belong to any of this network's subnets",
    ];
    if signs.iter().any(|sign| message.contains(sign)) {
        StopCode::InfrastructureHealth
    } else {
        StopCode::TaskFailedToStart
    }
}

/// What to do about a command that does not run.
fn hint(message: &str) -> &'static str {
    let lower = message.to_ascii_lowercase();
    if lower.contains("exec format error") {
        "; the image is built for another architecture, or the file is no program"
    } else if lower.contains("no such file or directory")
        || lower.contains("executable file not found")
    {
        "; check entryPoint and command: the image has no such program, or lacks its interpreter or libraries"
    } else if lower.contains("permission denied") {
        "; the file is not executable by the container's user"
    } else if lower.contains("unable to find user") {
        "; check user: the image does not know it"
    } else {
        ""
    }
}

fn classify_pull(task: &AssignedTask, container: &ContainerName, message: &str) -> OpError {
    let image = image_of(task, container);
    if message.contains("no matching manifest for")
        || message.contains("does not match the specified platform")
    {
        let reason = format!(
            "image `{image}` is not built for this instance's platform: {message}; push it with `docker buildx build --platform`"
        );
        return OpError::Fatal(StopCode::TaskFailedToStart, reason);
    }
    if message.contains("manifest unknown") {
        return classify_mirror(task, container, &MirrorError::NotFound);
    }
    let reason = format!("image `{image}` cannot be pulled: {message}");
    let code = stop_code(message);
    if code == StopCode::InfrastructureHealth {
        OpError::Fatal(code, reason)
    } else {
        OpError::RetryLimited(reason)
    }
}

/// What a pull that the mirror could not serve means.
pub(crate) fn classify_mirror(
    task: &AssignedTask,
    container: &ContainerName,
    error: &MirrorError,
) -> OpError {
    let image = image_of(task, container);
    match error {
        MirrorError::NotFound => {
            let reason = format!(
                "image `{image}` is not in the registry any more, or a part of it is missing: push it again"
            );
            OpError::Fatal(StopCode::TaskFailedToStart, reason)
        }
        MirrorError::Denied => OpError::RetryLimited(format!(
            "the registry does not let this instance read image `{image}`"
        )),
        MirrorError::Unavailable(reason) => {
            OpError::Retry(format!("image `{image}` waits for the server: {reason}"))
        }
        MirrorError::Corrupt(reason) => OpError::RetryLimited(format!(
            "image `{image}` is damaged in the registry or on the way: {reason}; push it again"
        )),
    }
}

fn image_of(task: &AssignedTask, container: &ContainerName) -> String {
    let image = task.containers.iter().find(|one| one.name == *container).map(|one| &one.image);
    image.map_or_else(|| container.to_string(), short_name)
}

/// An image as people can still read it.
pub(crate) fn short_name(image: &PinnedImage) -> String {
    format!("{}@{}:{}", image.repository, image.digest.algorithm(), image.digest.short())
}

/// How a container ended, in a sentence; None where it says nothing: it ended well, or was told to.
pub(crate) fn exit_sentence(container: &ContainerName, exit: &Exit, memory: Option<u64>) -> String {
    let code = exit.code;
    if exit.out_of_memory {
        let limit = memory.map(|limit| format!(": its limit is {limit} MiB")).unwrap_or_default();
        return format!("container `{container}` ran out of memory{limit} (exit code {code})");
    }
    if let Some(cause) = command_failure(exit) {
        let hint = hint(cause);
        return format!(
            "container `{container}` cannot run its command: {cause} (exit code {code}){hint}"
        );
    }
    match code {
        137 => format!("container `{container}` exited with code 137: it was killed"),
        _ => format!("container `{container}` exited with code {code}"),
    }
}

/// What Docker's init says when it cannot run the command of the container.
fn command_failure(exit: &Exit) -> Option<&str> {
    if !is_command_failure(exit.code) {
        return None;
    }
    let lines = exit.log_tail.as_ref()?;
    lines.iter().rev().find_map(|line| {
        let (_, cause) = line.split_once("[FATAL tini")?.1.split_once("] ")?;
        Some(cause)
    })
}

/// Whether an exit code may say that the command cannot be run; the last line then says why.
pub(crate) fn is_command_failure(code: i64) -> bool {
    matches!(code, 126 | 127)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::Network;
    use crate::tests;

    fn refused(status: u16, message: &str) -> DockerError {
        DockerError::Refused { status, message: message.to_owned() }
    }

    fn main() -> ContainerName {
        "main".parse().unwrap()
    }

    fn start_op() -> Op {
        Op::Start { container: main(), id: "c1".to_owned() }
    }

    fn create_op() -> Op {
        Op::Create { container: main(), image: "i".to_owned(), network: Network::Own }
    }

    /// Messages as Docker Engine 20.10 words them.
    #[test]
    fn a_port_or_address_that_somebody_else_has_is_the_instances_fault() {
        let task = tests::task();
        for message in [
            "driver failed programming external connectivity on endpoint x (1): Bind for 127.0.0.1:39001 failed: port is already allocated",
            "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 127.0.0.1:39002: bind: address already in use",
            "Address already in use",
            "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 10.1.2.3:39003: bind: cannot assign requested address",
        ] {
            let OpError::Fatal(code, reason) = classify(&start_op(), &task, &refused(500, message))
            else {
                panic!("{message} is final");
            };
            assert_eq!(code, StopCode::InfrastructureHealth, "{reason}");
        }
    }

    #[test]
    fn a_command_or_user_that_the_image_lacks_is_named_with_what_to_check() {
        let task = tests::task();
        let message = "unable to find user nosuch: no matching entries in passwd file";
        let error = classify(&start_op(), &task, &refused(400, message));
        let reason = "container `main` cannot be started: unable to find user nosuch: no matching entries in passwd file; check user: the image does not know it";
        assert_eq!(error, OpError::Fatal(StopCode::TaskFailedToStart, reason.to_owned()));
        let message = "OCI runtime create failed: exec: \"/x\": stat /x: no such file or directory";
        let OpError::Fatal(_, reason) = classify(&start_op(), &task, &refused(400, message)) else {
            panic!("final");
        };
        assert!(reason.contains("check entryPoint and command"), "{reason}");
    }

    #[test]
    fn docker_that_hangs_or_restarts_ends_no_task() {
        let task = tests::task();
        let tail = Op::Tail { container: main(), id: "c1".to_owned() };
        let pull = Op::Pull { container: main() };
        for error in [
            DockerError::Silent(Duration::from_mins(1)),
            DockerError::Unreachable("connection refused".to_owned()),
            refused(500, "transport is closing"),
            refused(500, "rpc error: dial unix /run/containerd/containerd.sock: connect: refused"),
        ] {
            for op in [start_op(), create_op(), pull.clone()] {
                let outcome = classify(&op, &task, &error);
                assert!(matches!(outcome, OpError::Retry(_) | OpError::Stale(_)), "{op} {error}");
            }
            let outcome = classify(&tail, &task, &error);
            assert!(matches!(outcome, OpError::RetryLimited(_) | OpError::Retry(_)), "{error}");
        }
    }

    #[test]
    fn an_image_or_network_that_vanished_is_got_again() {
        let task = tests::task();
        let error = classify(&create_op(), &task, &refused(404, "No such image: sha256:00"));
        assert_eq!(error, OpError::ImageMissing);
        let error = classify(&start_op(), &task, &refused(404, "network berth-1 not found"));
        assert!(matches!(error, OpError::NetworkMissing(_)));
        let conflict = "Conflict. The container name \"/x\" is already in use by container \"y\"";
        assert!(matches!(
            classify(&create_op(), &task, &refused(409, conflict)),
            OpError::Stale(_)
        ));
    }

    #[test]
    fn an_end_says_what_a_person_needs() {
        let exit = |code: i64, out_of_memory: bool, tail: &[&str]| Exit {
            code,
            out_of_memory,
            at: model::Timestamp::EPOCH,
            ran: Duration::ZERO,
            log_tail: Some(tail.iter().map(|line| (*line).to_owned()).collect()),
        };
        let said = |exit: &Exit| exit_sentence(&main(), exit, Some(64));
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

    #[test]
    fn a_server_that_is_away_is_waited_for_and_a_missing_image_is_not() {
        let task = tests::task();
        let away = classify_mirror(&task, &main(), &MirrorError::Unavailable("no link".to_owned()));
        assert!(matches!(away, OpError::Retry(_)));
        let missing = classify_mirror(&task, &main(), &MirrorError::NotFound);
        let OpError::Fatal(StopCode::TaskFailedToStart, reason) = missing else {
            panic!("{missing:?}");
        };
        assert!(reason.contains("hello@sha256:000000000000"), "{reason}");
        let platform = "no matching manifest for linux/amd64 in the manifest list entries";
        let pull = Op::Pull { container: main() };
        let OpError::Fatal(_, reason) = classify(&pull, &task, &refused(0, platform)) else {
            panic!("final");
        };
        assert!(reason.contains("platform"), "{reason}");
    }
}
