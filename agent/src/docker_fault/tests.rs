//! Messages as versions of Docker Engine word them: what a new version words anew is found by a row that is added here.

use super::*;

/// Version, status, message, and what it is about.
const ANSWERS: &[(&str, u16, &str, DockerFault)] = &[
    (
        "20.10.24",
        500,
        "driver failed programming external connectivity on endpoint x (1): Bind for 127.0.0.1:39001 failed: port is already allocated",
        DockerFault::HostPortInUse,
    ),
    (
        "20.10.24",
        500,
        "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 127.0.0.1:39002: bind: address already in use",
        DockerFault::HostPortInUse,
    ),
    (
        "28",
        500,
        "failed to set up container networking: driver failed programming external connectivity on endpoint x (1): failed to bind host port for 127.0.0.1:39002:172.18.0.2:80/tcp: address already in use",
        DockerFault::HostPortInUse,
    ),
    (
        "20.10.24",
        500,
        "driver failed programming external connectivity on endpoint x (1): Error starting userland proxy: listen tcp4 10.1.2.3:39003: bind: cannot assign requested address",
        DockerFault::AddressUnavailable,
    ),
    ("20.10.24", 403, "Address already in use", DockerFault::AddressInUse),
    ("20.10.24", 404, "No such image: sha256:00", DockerFault::ImageNotFound),
    ("20.10.24", 404, "No such container: 0123", DockerFault::ContainerNotFound),
    ("20.10.24", 404, "network berth-1 not found", DockerFault::NetworkNotFound),
    ("any", 404, "there is no such thing", DockerFault::NotFound),
    (
        "20.10.24",
        409,
        "Conflict. The container name \"/x\" is already in use by container \"y\"",
        DockerFault::Conflict,
    ),
    (
        "20.10.24",
        409,
        "cannot join network of a non running container: 0123",
        DockerFault::NetworkOwnerStopped,
    ),
    ("20.10.24", 500, "transport is closing", DockerFault::Restarting),
    (
        "20.10.24",
        500,
        "rpc error: dial unix /run/containerd/containerd.sock: connect: refused",
        DockerFault::Restarting,
    ),
    (
        "20.10.24",
        400,
        "unable to find user nosuch: no matching entries in passwd file",
        DockerFault::Command(CommandFault::UnknownUser),
    ),
    (
        "20.10.24",
        400,
        "OCI runtime create failed: exec: \"/x\": stat /x: no such file or directory",
        DockerFault::Command(CommandFault::NotFound),
    ),
    (
        "20.10.24",
        0,
        "no matching manifest for linux/amd64 in the manifest list entries",
        DockerFault::PlatformMismatch,
    ),
    ("20.10.24", 0, "manifest unknown: not here", DockerFault::ManifestUnknown),
    ("20.10.24", 0, "write /var/lib/x: no space left on device", DockerFault::DiskFull),
    ("any", 500, "something new", DockerFault::Other),
];

#[test]
fn every_known_message_is_about_what_its_version_means() {
    for (version, status, message, fault) in ANSWERS {
        assert_eq!(DockerFault::of(*status, message), *fault, "{version}: {status} {message}");
    }
}

#[test]
fn a_subnet_that_another_network_overlaps_is_recognised_by_its_status_or_its_text() {
    let message = "Pool overlaps with other one on this address space";
    assert!(is_subnet_overlap(403, message), "20.10.24");
    assert!(is_subnet_overlap(400, message));
    assert!(!is_subnet_overlap(500, "no space left on device"));
}

#[test]
fn the_line_of_dockers_init_is_found_among_others() {
    let lines = ["hello", "[FATAL tini (7)] exec /nothing failed: No such file or directory", "x"];
    let lines = lines.map(str::to_owned);
    let cause = init_error(&lines).unwrap();
    assert_eq!(cause, "exec /nothing failed: No such file or directory", "tini 0.19.0");
    assert_eq!(CommandFault::of(cause), Some(CommandFault::NotFound));
    assert_eq!(init_error(&lines[..1]), None);
}
