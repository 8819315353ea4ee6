//! What Docker has of an installation.

use std::process::Command;

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

/// The same for one that may have ended by itself.
pub(crate) fn kill_if_it_runs(id: &str) {
    Command::new("docker").args(["kill", id]).output().expect("docker runs");
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
