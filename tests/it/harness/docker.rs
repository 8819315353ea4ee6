//! The real `docker` command, and images of the sample application made by the binary under test.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};

use rand::Rng as _;

pub(crate) use super::containers::{
    containers, inspect, kill, kill_if_it_runs, remove_all, remove_images,
};

use super::berth::Berth;
use super::said::Said;

/// Runs `docker ARGUMENTS` with the installation's own configuration directory.
pub(crate) fn run(berth: &Berth, arguments: &[&str]) -> Said {
    run_with_input(berth, arguments, &[])
}

fn run_with_input(berth: &Berth, arguments: &[&str], input: &[u8]) -> Said {
    let mut child = Command::new("docker")
        .args(arguments)
        .env("DOCKER_CONFIG", berth.home().join("docker"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("these tests need the docker command: apt install docker.io");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // A command that ends early has said why on stderr.
            stdin.write_all(input).ok();
        });
    });
    Said::of(&child.wait_with_output().expect("the docker command ends"))
}

/// Logs in to the installation's registry.
pub(crate) fn login(berth: &Berth) {
    let (registry, token) = (berth.registry(), berth.token());
    let login = ["login", &registry, "--username", "admin", "--password-stdin"];
    run_with_input(berth, &login, token.as_bytes()).ok();
}

/// Loads an image of the sample application into Docker under the registry's name; returns that name.
pub(crate) fn load(berth: &Berth, repository: &str, version: &str, more: &[&str]) -> String {
    let reference = format!("{}/{repository}:{version}", berth.registry());
    let archive = Command::new(env!("CARGO_BIN_EXE_berth"))
        .args(["demo-archive", "--version", version])
        .args(more)
        .arg(&reference)
        .output()
        .expect("the berth binary starts");
    assert!(archive.status.success(), "{}", String::from_utf8_lossy(&archive.stderr));
    run_with_input(berth, &["load", "--quiet"], &archive.stdout).ok();
    reference
}

/// Makes an image of one layer with a file of so many random bytes; returns its name.
pub(crate) fn import_random(berth: &Berth, repository: &str, bytes: usize) -> String {
    let reference = format!("{}/{repository}:latest", berth.registry());
    let mut random = vec![0; bytes];
    rand::rng().fill_bytes(&mut random);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(random.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "random", random.as_slice()).expect("it is in memory");
    let archive = tar.into_inner().expect("it is in memory");
    run_with_input(berth, &["import", "-", &reference], &archive).ok();
    reference
}

/// Pushes a version of the sample application as `latest`; nothing of it stays in Docker's list of images.
pub(crate) fn push(berth: &Berth, repository: &str, version: &str, fault: &str) {
    push_with(berth, repository, version, &["--fault", fault]);
}

/// The same with other wishes for the image.
pub(crate) fn push_with(berth: &Berth, repository: &str, version: &str, more: &[&str]) {
    let reference = load(berth, repository, version, more);
    let latest = format!("{}/{repository}:latest", berth.registry());
    run(berth, &["tag", &reference, &latest]).ok();
    let pushed = run(berth, &["push", &latest]);
    run(berth, &["image", "rm", "--force", &reference, &latest]).ok();
    pushed.ok();
}

/// The address that this host has on Docker's own bridge: one that is not loopback, on every host with Docker.
pub(crate) fn bridge_address() -> IpAddr {
    let format = "{{(index .IPAM.Config 0).Subnet}}";
    let mut command = Command::new("docker");
    let command = command.args(["network", "inspect", "bridge", "--format", format]);
    let said = Said::of(&command.output().expect("the docker command ends")).ok();
    let subnet: model::Subnet = said.trim().parse().expect("Docker's bridge has a subnet");
    // A UDP socket sends nothing when it connects: the kernel only chooses the source address.
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a free port");
    socket.connect((subnet.address(9), 9)).expect("a route to Docker's bridge");
    socket.local_addr().expect("it is bound").ip()
}
