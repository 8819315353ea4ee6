//! The shape of the house, held by tests: who may use whom, how files are named and how long they get, what may be
//! depended on, and that no two files import each other.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

mod circles;
mod dependencies;
mod files;
mod imports;
mod licences;

/// What Berth runs on: packages for other systems are not downloaded.
const PLATFORM: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-gnu"
} else {
    "x86_64-unknown-linux-gnu"
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", PLATFORM])
        .current_dir(root())
        .output()
        .expect("cargo runs this test, so cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

/// The packages of this workspace.
fn rooms(metadata: &Value) -> impl Iterator<Item = &Value> {
    let members = metadata["workspace_members"].as_array().expect("cargo metadata lists members");
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    packages.iter().filter(|package| members.contains(&package["id"]))
}

fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

/// All Rust files of the checkout.
fn sources() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .expect("the checkout is a git repository and git is installed");
    let names = String::from_utf8(output.stdout).expect("our file names are ASCII");
    names.lines().map(|name| root().join(name)).filter(|path| path.exists()).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a source file is readable text")
}
