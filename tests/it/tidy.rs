//! The shape of the house, held by tests: who may use whom, how files are named and how long they get, and what may be
//! depended on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longest file in lines; a longer one says why in a line that begins with `//! Long because`.
const LONGEST_FILE: usize = 500;

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

fn sources() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .expect("the checkout is a git repository and git is installed");
    let names = String::from_utf8(output.stdout).expect("our file names are ASCII");
    names.lines().map(|name| root().join(name)).filter(|path| path.exists()).collect()
}

#[test]
fn rooms_use_only_whom_they_may() {
    let may: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("model", [].as_slice()),
        ("api", &["model"]),
        ("disk", &[]),
        ("config", &["model", "disk"]),
        ("access", &["model", "disk"]),
        ("control", &["model", "disk", "access"]),
        ("store", &["model", "disk"]),
        ("link", &["model", "disk"]),
        ("scheduler", &["model", "disk"]),
        ("registry", &["model", "disk", "store", "access", "control"]),
        ("admin", &["model", "disk", "api", "store", "access"]),
        ("agent", &["model", "disk", "link"]),
        ("router", &["model", "disk", "link"]),
        ("terminal", &[]),
        ("cli", &["terminal"]),
        ("supervisor", &["model", "disk", "config", "link", "cli", "terminal"]),
        ("demo", &["model", "supervisor", "terminal"]),
    ]);
    let metadata = metadata();
    let members: BTreeSet<&str> = metadata["workspace_members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let packages = metadata["packages"].as_array().expect("cargo metadata lists packages");
    let ours = packages.iter().filter(|p| p["id"].as_str().is_some_and(|id| members.contains(id)));
    let mut seen = 0;
    for package in ours {
        let name = package["name"].as_str().expect("a package has a name");
        let Some(allowed) = may.get(name) else {
            assert_eq!(name, "berth", "a room that the list does not know");
            continue;
        };
        seen += 1;
        let used = package["dependencies"].as_array().into_iter().flatten();
        let used = used.filter(|d| d["kind"].is_null() && d["path"].is_string());
        for dependency in used.filter_map(|d| d["name"].as_str()) {
            assert!(allowed.contains(&dependency), "`{name}` must not use `{dependency}`");
        }
    }
    assert_eq!(seen, may.len(), "a room of the list is gone");
}

#[test]
fn files_are_named_by_what_they_hold() {
    let bad = ["mod.rs", "util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "types.rs"];
    for path in sources() {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        assert!(!bad.contains(&&*name), "{} says nothing about what it holds", path.display());
    }
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let mut long = Vec::new();
    for path in sources() {
        let text = std::fs::read_to_string(&path).expect("a source file is readable text");
        let lines = text.lines().count();
        let reason = text.lines().any(|line| line.starts_with("//! Long because"));
        if lines > LONGEST_FILE && !reason {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "one idea per file, or a reason: {long:#?}");
}

#[test]
fn nothing_is_left_open_in_the_code() {
    let open = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimpl", "emented!(")];
    for path in sources() {
        let text = std::fs::read_to_string(&path).expect("a source file is readable text");
        for word in open {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn every_dependency_has_a_licence_source_and_name_that_deny_toml_allows() {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let deny: toml::Table = text.parse().expect("deny.toml is TOML");
    let list = |section: &str, key: &str| -> BTreeSet<String> {
        let list = deny[section][key].as_array().into_iter().flatten();
        list.filter_map(toml::Value::as_str).map(ToOwned::to_owned).collect()
    };
    let (licences, banned) = (list("licenses", "allow"), list("bans", "deny"));
    assert!(!licences.is_empty() && !banned.is_empty(), "deny.toml has both lists");
    for package in metadata()["packages"].as_array().expect("cargo metadata lists packages") {
        let name = package["name"].as_str().expect("a package has a name");
        if package["source"].is_null() {
            continue;
        }
        let source = package["source"].as_str().unwrap_or_default();
        assert!(source.starts_with("registry+"), "`{name}` comes from {source}, not a registry");
        assert!(!banned.contains(name), "`{name}` is banned");
        let licence = package["license"].as_str().unwrap_or("none");
        assert!(allowed(licence, &licences), "`{name}` has licence {licence}");
    }
}

/// SPDX expressions as far as our dependencies write them: one alternative of each part must be on the list.
fn allowed(expression: &str, licences: &BTreeSet<String>) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" AND ").all(|part| {
        part.split(" OR ").any(|licence| {
            let licence = licence.trim();
            licences.contains(licence)
                || licence
                    .strip_suffix(" WITH LLVM-exception")
                    .is_some_and(|l| licences.contains(l))
        })
    })
}
