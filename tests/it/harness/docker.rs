//! The real `docker` command, and images of the sample application made by the binary under test.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{Berth, Said};

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

/// Ids of the installation's containers: those that run, or all.
pub(crate) fn containers(installation: &str, all: bool) -> Vec<String> {
    let label = format!("label=berth.installation={installation}");
    let mut command = Command::new("docker");
    command.args(["ps", "--quiet", "--no-trunc", "--filter", &label]);
    if all {
        command.arg("--all");
    }
    let output = command.output().expect("these tests need the docker command");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(ToOwned::to_owned).collect()
}

/// A label of a container.
pub(crate) fn label(id: &str, label: &str) -> String {
    inspect(id, &format!("{{{{index .Config.Labels \"{label}\"}}}}"))
}

/// What Docker knows of a container, in its own template language.
pub(crate) fn inspect(id: &str, format: &str) -> String {
    let output = Command::new("docker").args(["inspect", "--format", format, id]).output();
    let output = output.expect("docker runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Kills one container, as a crash would.
pub(crate) fn kill(id: &str) {
    let output = Command::new("docker").args(["kill", id]).output().expect("docker runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Removes images by name or id.
pub(crate) fn remove_images(images: &[String]) {
    // One that shares its id with another is gone already.
    Command::new("docker").args(["image", "rm", "--force"]).args(images).output().ok();
}

/// Removes whatever a failed test left.
pub(crate) fn remove_all(installation: &str) {
    for id in containers(installation, true) {
        Command::new("docker").args(["rm", "--force", &id]).output().ok();
    }
    let label = format!("label=berth.installation={installation}");
    let networks =
        Command::new("docker").args(["network", "ls", "-q", "--filter", &label]).output();
    let networks = networks.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    for id in networks.unwrap_or_default().lines() {
        // One that an agent still uses is that agent's to remove.
        Command::new("docker").args(["network", "rm", id]).output().ok();
    }
}
