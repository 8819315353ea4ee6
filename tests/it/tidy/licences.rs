//! Where dependencies come from and under which licences.

use std::collections::BTreeSet;

use super::{metadata, name, read, root};

#[test]
fn every_dependency_has_a_licence_source_and_name_that_deny_toml_allows() {
    let deny: toml::Table = read(&root().join("deny.toml")).parse().expect("deny.toml is TOML");
    let list = |section: &str, key: &str| -> BTreeSet<String> {
        let list = deny[section][key].as_array().into_iter().flatten();
        list.filter_map(toml::Value::as_str).map(ToOwned::to_owned).collect()
    };
    let (licences, banned) = (list("licenses", "allow"), list("bans", "deny"));
    assert!(!licences.is_empty() && !banned.is_empty(), "deny.toml has both lists");
    for package in metadata()["packages"].as_array().expect("cargo metadata lists packages") {
        let name = name(package);
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
