//! Who may use whom: rooms each other, and rooms the crates of others. Dependencies of tests are held to the same lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::imports::Imports;
use super::{metadata, name, read, rooms, root, sources};

/// Which rooms a room may use; the root, `berth`, sees all.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("disk", &[]),
    ("terminal", &[]),
    ("listener", &[]),
    ("api", &["model"]),
    ("config", &["model", "disk"]),
    ("access", &["model", "disk"]),
    ("store", &["model", "disk"]),
    ("link", &["model", "disk", "listener"]),
    ("scheduler", &["model", "disk"]),
    ("control", &["model", "disk", "access", "api"]),
    ("registry", &["model", "disk", "store", "access", "control"]),
    ("admin", &["model", "disk", "store", "access", "control", "api"]),
    ("agent", &["model", "disk", "link"]),
    ("http1", &[]),
    ("router", &["model", "disk", "http1", "link"]),
    ("cli", &["model", "api", "terminal"]),
    ("supervisor", &["model", "disk", "config", "link", "api", "terminal"]),
    ("demo", &["model", "api", "supervisor", "terminal"]),
];

/// Crates of others that any room may use: they hold, read and write data, and do nothing by themselves.
const PLAIN: &[&str] = &[
    "base64",
    "bytes",
    "form_urlencoded",
    "hex",
    "http",
    "ipnet",
    "oci-spec",
    "percent-encoding",
    "serde",
    "serde_json",
    "serde_urlencoded",
    "sha2",
    "subtle",
    "thiserror",
    "url",
];

/// Crates of others that only some rooms may use. A runtime, a socket, a clock or a source of chance in `model`, `scheduler`
/// or `control` would make what they decide depend on more than their arguments.
const RESTRICTED: &[(&str, &[&str])] = &[
    ("arc-swap", &["router"]),
    ("async-trait", &["router"]),
    ("axum", &["admin", "agent", "berth", "demo", "link", "listener", "registry"]),
    ("bollard", &["agent"]),
    ("clap", &["berth", "cli"]),
    ("comfy-table", &["terminal"]),
    ("futures-util", &["admin", "agent", "berth", "control", "link", "registry", "store"]),
    ("http-body", &["listener"]),
    ("http-body-util", &["link", "router"]),
    ("httparse", &["http1", "router"]),
    ("httpdate", &["router"]),
    ("humantime", &["config"]),
    ("hyper", &["link", "listener", "router"]),
    ("hyper-util", &["link", "listener", "router"]),
    ("indicatif", &["terminal"]),
    ("jiff", &["model"]),
    ("listenfd", &["supervisor"]),
    ("pingora-core", &["router"]),
    ("pingora-http", &["router"]),
    ("pingora-proxy", &["router"]),
    ("rand", &["access", "admin", "agent", "berth", "link", "registry", "router", "supervisor"]),
    ("rcgen", &["link"]),
    ("redb", &["store"]),
    ("reqwest", &["agent", "api", "demo", "link"]),
    ("ring", &["registry"]),
    ("rpds", &["model"]),
    (
        "rustix",
        &[
            "agent",
            "berth",
            "demo",
            "disk",
            "registry",
            "router",
            "store",
            "supervisor",
            "terminal",
        ],
    ),
    ("rustls", &["berth", "link"]),
    ("sd-notify", &["supervisor"]),
    ("serde_path_to_error", &["admin", "control"]),
    ("strsim", &["config"]),
    ("tar", &["demo"]),
    ("tempfile", &["demo"]),
    (
        "tokio",
        &[
            "admin",
            "agent",
            "berth",
            "cli",
            "demo",
            "link",
            "listener",
            "registry",
            "router",
            "store",
            "supervisor",
        ],
    ),
    ("tokio-rustls", &["link"]),
    ("tokio-tungstenite", &["link"]),
    (
        "tokio-util",
        &["agent", "berth", "demo", "link", "listener", "registry", "router", "supervisor"],
    ),
    ("toml", &["berth", "config"]),
    ("tower", &["link", "listener"]),
    (
        "tracing",
        &[
            "admin",
            "agent",
            "berth",
            "demo",
            "link",
            "listener",
            "registry",
            "router",
            "scheduler",
            "store",
            "supervisor",
        ],
    ),
    ("tracing-subscriber", &["berth"]),
    ("utoipa", &["admin", "api", "model"]),
    ("utoipa-axum", &["admin"]),
    ("uuid", &["model"]),
    ("x509-parser", &["link"]),
];

/// What tests of any room may use on top.
const IN_TESTS: &[&str] = &[
    "flate2",
    "http-body-util",
    "insta",
    "proptest",
    "rand",
    "rustls",
    "tar",
    "tempfile",
    "tower",
];

/// A dependency: its name, whether it is ours, and whether only tests use it.
fn dependencies(package: &Value) -> impl Iterator<Item = (&str, bool, bool)> {
    package["dependencies"].as_array().into_iter().flatten().map(|dependency| {
        let ours = dependency["path"].is_string();
        (name(dependency), ours, dependency["kind"] == "dev")
    })
}

#[test]
fn rooms_use_only_whom_they_may() {
    let may: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let metadata = metadata();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for package in rooms(&metadata) {
        let room = name(package);
        let Some(allowed) = may.get(room) else {
            assert_eq!(room, "berth", "a room that the list does not know");
            continue;
        };
        seen.insert(room);
        let ours = dependencies(package).filter(|(_, ours, _)| *ours);
        let not_allowed = ours.filter(|(used, ..)| !allowed.contains(used));
        wrong.extend(not_allowed.map(|(used, ..)| format!("`{room}` must not use `{used}`")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(seen, may.keys().copied().collect(), "a room of the list is gone");
}

#[test]
fn crates_of_others_are_used_where_they_belong() {
    let restricted: BTreeMap<&str, &[&str]> = RESTRICTED.iter().copied().collect();
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in rooms(&metadata) {
        let room = name(package);
        for (used, ours, in_tests) in dependencies(package) {
            let allowed = ours
                || PLAIN.contains(&used)
                || (in_tests && IN_TESTS.contains(&used))
                || restricted.get(used).is_some_and(|rooms| rooms.contains(&room));
            if !allowed {
                let known = if restricted.contains_key(used) {
                    "is for other rooms"
                } else {
                    "is on no list: say here who may use it"
                };
                wrong.push(format!("`{used}`, which `{room}` uses, {known}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pingora_is_met_in_listen_and_proxy_only() {
    let router = root().join("router/src");
    for path in sources() {
        let Ok(file) = path.strip_prefix(&router) else { continue };
        let room = file.iter().next().map(|part| part.to_string_lossy().into_owned());
        let room = room.unwrap_or_default();
        if ["listen", "listen.rs", "proxy", "proxy.rs"].contains(&room.as_str()) {
            continue;
        }
        let imports = Imports::of(&read(&path)).used;
        let pingora = imports.iter().find(|path| path[0].starts_with("pingora"));
        assert!(pingora.is_none(), "router/src/{} uses {pingora:?}", file.display());
    }
}
