use std::time::Duration;

use model::StopCode;

use super::*;
use crate::op::Network;
use crate::tests::{name, task};

fn refused(status: u16, message: &str) -> DockerError {
    DockerError::Refused { status, message: message.to_owned() }
}

fn start_op() -> Op {
    Op::Start { container: name("main"), id: "c1".into() }
}

fn create_op() -> Op {
    let stop_signal = "SIGTERM".to_owned();
    Op::Create { container: name("main"), image: "i".into(), network: Network::Own, stop_signal }
}

fn fatal(error: OpError) -> Stopped {
    let OpError::Fatal(stopped) = error else { panic!("{error:?} is not final") };
    stopped
}

#[test]
fn a_port_or_address_that_something_else_has_is_the_instances_fault() {
    for (message, cause) in [
        (
            "driver failed programming external connectivity on endpoint x (1): Bind for 127.0.0.1:39001 failed: port is already allocated",
            StopCause::PortTaken,
        ),
        (
            "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 127.0.0.1:39002: bind: address already in use",
            StopCause::PortTaken,
        ),
        ("Address already in use", StopCause::AddressTaken),
        (
            "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 10.1.2.3:39003: bind: cannot assign requested address",
            StopCause::NetworkMismatch,
        ),
    ] {
        let stopped = fatal(docker(&start_op(), &task(), &refused(500, message)));
        assert_eq!(stopped.cause, Some(cause), "{}", stopped.reason);
        assert_eq!(stopped.code, StopCode::InfrastructureHealth, "{}", stopped.reason);
    }
}

#[test]
fn a_command_or_user_that_the_image_lacks_is_named_with_what_to_check() {
    let message = "unable to find user nosuch: no matching entries in passwd file";
    let stopped = fatal(docker(&start_op(), &task(), &refused(400, message)));
    let reason = "container `main` cannot be started: unable to find user nosuch: no matching entries in passwd file; check user: the image does not know it";
    assert_eq!(stopped, Stopped::new(StopCause::ContainerNotStarted, reason));
    let message = "OCI runtime create failed: exec: \"/x\": stat /x: no such file or directory";
    let stopped = fatal(docker(&start_op(), &task(), &refused(400, message)));
    assert!(stopped.reason.contains("check entryPoint and command"), "{}", stopped.reason);
}

#[test]
fn docker_that_hangs_or_restarts_ends_no_task() {
    let tail = Op::Tail { container: name("main"), id: "c1".into() };
    let pull = Op::Pull { container: name("main") };
    for error in [
        DockerError::Timeout(Duration::from_mins(1)),
        DockerError::Unreachable("connection refused".to_owned()),
        refused(500, "transport is closing"),
        refused(500, "rpc error: dial unix /run/containerd/containerd.sock: connect: refused"),
    ] {
        for op in [start_op(), create_op(), pull.clone()] {
            let outcome = docker(&op, &task(), &error);
            assert!(matches!(outcome, OpError::Retry(_) | OpError::Stale(_)), "{op} {error}");
        }
        let outcome = docker(&tail, &task(), &error);
        assert!(matches!(outcome, OpError::RetryLimited { .. } | OpError::Retry(_)), "{error}");
    }
}

#[test]
fn an_image_or_network_that_vanished_is_got_again() {
    let outcome = docker(&create_op(), &task(), &refused(404, "No such image: sha256:00"));
    assert_eq!(outcome, OpError::ImageMissing);
    let outcome = docker(&start_op(), &task(), &refused(404, "network berth-1 not found"));
    assert!(matches!(outcome, OpError::NetworkMissing(_)));
}

#[test]
fn a_conflict_or_an_unknown_404_is_inspected_whatever_its_text_says_and_not_retried_for_ever() {
    let later = "in words of a later version";
    for (op, status) in [(create_op(), 404), (start_op(), 404), (start_op(), 409)] {
        let outcome = docker(&op, &task(), &refused(status, later));
        let OpError::StaleLimited(stopped) = outcome else { panic!("{op} {status}: {outcome:?}") };
        assert!(stopped.cause.is_some() && stopped.reason.contains(later), "{stopped:?}");
    }
    let no_owner = docker(&create_op(), &task(), &refused(404, "No such container: 0123"));
    assert!(matches!(no_owner, OpError::StaleLimited(_)), "{no_owner:?}");
    // Whose container has the name shows at once, and one whose network is joined is started again.
    let waits = "cannot join network of a non running container: 0123";
    for (op, message) in [(create_op(), later), (start_op(), waits)] {
        let outcome = docker(&op, &task(), &refused(409, message));
        assert!(matches!(outcome, OpError::Stale(_)), "{op}: {outcome:?}");
    }
    let kill = Op::Kill { container: name("main"), id: "c1".into() };
    let outcome = docker(&kill, &task(), &refused(404, "in words of a later version"));
    assert_eq!(outcome, OpError::ContainerMissing);
}

#[test]
fn a_server_that_is_away_is_waited_for_and_a_missing_image_is_not() {
    let away = mirror(&task(), &name("main"), &MirrorError::Broken("no link".to_owned()));
    assert!(matches!(away, OpError::Retry(_)));
    let missing = fatal(mirror(&task(), &name("main"), &MirrorError::NotFound));
    assert_eq!(missing.cause, Some(StopCause::ImageMissing));
    assert!(missing.reason.contains("hello@sha256:000000000000"), "{}", missing.reason);
    let platform = "no matching manifest for linux/amd64 in the manifest list entries";
    let pull = Op::Pull { container: name("main") };
    let stopped = fatal(docker(&pull, &task(), &refused(0, platform)));
    assert_eq!(stopped.cause, Some(StopCause::ImagePlatform), "{}", stopped.reason);
}
