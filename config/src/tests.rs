//! What a configuration accepts, what it refuses, and what it says then.

use std::path::Path;

use model::LeaseTimes;

use super::*;

fn flags(dir: &Path) -> Flags {
    Flags { data_dir: Some(dir.to_owned()), ..Flags::default() }
}

fn with_file(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    disk::write(&dir.path().join("berth.toml"), text.as_bytes(), 0o644).unwrap();
    load_from(&flags(dir.path()), pairs(environment))
}

fn with(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    with_file("", environment)
}

fn pairs(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The problems, without the place of the temporary file.
fn problems(result: Result<Config, ConfigError>) -> String {
    let error = result.expect_err("it is refused");
    let place = |origin: &Origin| match origin {
        Origin::File(_) => Origin::File("berth.toml".into()),
        other @ (Origin::Flag | Origin::Environment(_) | Origin::Default) => other.clone(),
    };
    let mut problems = error.problems;
    for problem in &mut problems {
        match problem {
            Problem::Unknown { origin, .. }
            | Problem::Wrong { origin, .. }
            | Problem::Unusable { origin, .. } => *origin = place(origin),
            Problem::Unreadable { .. } | Problem::Syntax { .. } | Problem::NoDataDir => {}
        }
    }
    ConfigError { problems }.to_string()
}

#[test]
fn defaults_need_no_file_and_no_environment() {
    let dir = tempfile::tempdir().unwrap();
    let config = load_from(&flags(dir.path()), []).unwrap();
    assert_eq!(config.registry_listen.to_string(), "127.0.0.1:5000");
    assert_eq!(config.router.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(config.admin_listen.to_string(), "127.0.0.1:7070");
    assert_eq!(config.link.listen.to_string(), "127.0.0.1:7071");
    assert_eq!(config.lease, LeaseTimes::default());
    assert_eq!(config.port_range, 20_000..=32_000);
    assert_eq!(config.region.as_str(), "local");
    assert_eq!(config.file, None);
    assert!(!config.agent.name.is_empty());
}

#[test]
fn flags_win_over_environment_over_file_over_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = "[registry]\nlisten = \"127.0.0.1:1\"\n[admin]\nlisten = \"127.0.0.1:2\"\n[link]\nlisten = \"127.0.0.1:3\"";
    disk::write(&dir.path().join("berth.toml"), file.as_bytes(), 0o644).unwrap();
    let mut flags = flags(dir.path());
    flags.settings = vec![("registry.listen".to_owned(), "127.0.0.1:31".to_owned())];
    let environment =
        [("BERTH_REGISTRY_LISTEN", "127.0.0.1:21"), ("BERTH_ADMIN_LISTEN", "127.0.0.1:22")];
    let config = load_from(&flags, pairs(&environment)).unwrap();
    assert_eq!(config.registry_listen.port(), 31);
    assert_eq!(config.admin_listen.port(), 22);
    assert_eq!(config.link.listen.port(), 3);
    let origin = |key: &str| {
        let shown = config.shown.iter().find(|shown| shown.key == key).unwrap();
        shown.origin.to_string()
    };
    assert_eq!(origin("registry.listen"), "flag");
    assert_eq!(origin("admin.listen"), "environment BERTH_ADMIN_LISTEN");
    assert!(origin("link.listen").starts_with("file "));
    assert_eq!(origin("router.listen"), "default");
}

#[test]
fn every_setting_can_come_from_the_environment() {
    for setting in SETTINGS {
        let value = match setting.key {
            "data_dir" => "/somewhere",
            "registry.listen" | "admin.listen" | "agent.mirror_listen" => "127.0.0.1:0",
            "router.listen" | "link.listen" => "0.0.0.0:0",
            "link.server" | "link.advertised_address" => "berth.example.com:7071",
            "agent.cpu" | "agent.memory" | "agent.container_disk" | "registry.low_water" => "4096",
            "agent.advertised_address" => "10.0.0.7",
            "lease.suspect_after" => "1s",
            "lease.disconnected_after" => "12s",
            "lease.lost_after" => "20m",
            "scheduler.port_range" => "30000-30100",
            "router.lean" => "false",
            "router.trusted_proxies" => "10.0.0.0/8, 192.0.2.7",
            "log.format" => "json",
            "log.level" => "debug,link=trace",
            "region" => "eu-home-1",
            "url" => "https://berth.example.com",
            _ => "text",
        };
        let dir = tempfile::tempdir().unwrap();
        let mut environment = vec![("BERTH_DATA_DIR".to_owned(), dir.path().display().to_string())];
        environment.push((setting.variable(), value.to_owned()));
        let config = load_from(&Flags::default(), environment).unwrap();
        let shown = config.shown.iter().find(|shown| shown.key == setting.key).unwrap();
        assert_eq!(shown.origin, Origin::Environment(setting.variable()));
        assert_eq!(shown.value.as_deref(), Some(if setting.secret { "(set)" } else { value }));
    }
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    let file = "colour = 1\n[registry]\nlisten = \"127.0.0.1:5000\"\nlissten = \"127.0.0.1:1\"\n[agnet]\ncpu = 1";
    insta::assert_snapshot!(problems(with_file(file, &[("BERTH_ROUTER_LISTN", "x"), ("BERTH_TEST_FULL", "1")])), @"
    unknown setting `BERTH_ROUTER_LISTN` (environment BERTH_ROUTER_LISTN): did you mean `BERTH_ROUTER_LISTEN`?
    unknown setting `agnet` (file berth.toml); `berth config print` lists all
    unknown setting `colour` (file berth.toml); `berth config print` lists all
    unknown setting `registry.lissten` (file berth.toml): did you mean `registry.listen`?
    ");
}

#[test]
fn a_value_of_a_wrong_type_is_refused_with_its_path() {
    let file = "registry = 1\n[router]\nlisten = 8080\nlean = \"maybe\"\n[agent]\ncpu = \"many\"\nmemory = 0\n[lease]\nlost_after = \"soon\"\n\
                [log]\nformat = true";
    insta::assert_snapshot!(problems(with_file(file, &[])), @"
    `registry` must be a section, as in `[registry]`, not a value of type integer (file berth.toml)
    `log.format` must be `text` or `json`, not a value of type boolean (file berth.toml)
    `router.listen` must be an IP address and a port, as `127.0.0.1:5000`, not the number 8080 (file berth.toml)
    `router.lean` must be `true` or `false`, not `maybe` (file berth.toml)
    `agent.cpu` must be a whole number above 0, not `many` (file berth.toml)
    `agent.memory` must be a whole number above 0, not the number 0 (file berth.toml)
    `lease.lost_after` must be a length of time, as `500ms`, `10s` or `2m`, not `soon` (file berth.toml)
    ");
}

#[test]
fn only_the_router_and_the_link_may_listen_beyond_loopback() {
    let good = [("BERTH_ROUTER_LISTEN", "0.0.0.0:80"), ("BERTH_LINK_LISTEN", "[::]:7071")];
    assert!(with(&good).is_ok());
    for key in ["registry.listen", "admin.listen", "agent.mirror_listen"] {
        let variable = setting::find(key).unwrap().variable();
        let said = problems(with(&[(&variable, "0.0.0.0:4000")]));
        assert!(said.contains(key) && said.contains("TLS"), "{said}");
    }
}

#[test]
fn two_listeners_on_one_port_are_refused_before_either_binds() {
    let said = problems(with(&[("BERTH_ADMIN_LISTEN", "127.0.0.1:5000")]));
    insta::assert_snapshot!(said, @"`admin.listen` cannot be `127.0.0.1:5000` (environment BERTH_ADMIN_LISTEN): `registry.listen` has that port already");
    let any = [("BERTH_ADMIN_LISTEN", "127.0.0.1:0"), ("BERTH_REGISTRY_LISTEN", "127.0.0.1:0")];
    assert!(with(&any).is_ok());
}

#[test]
fn leases_end_in_their_order() {
    assert!(with(&[("BERTH_LEASE_LOST_AFTER", "5s")]).is_err());
    let short = [
        ("BERTH_LEASE_SUSPECT_AFTER", "1s"),
        ("BERTH_LEASE_DISCONNECTED_AFTER", "2s"),
        ("BERTH_LEASE_LOST_AFTER", "3s"),
    ];
    assert_eq!(with(&short).unwrap().lease.lost_after.as_secs(), 3);
}

#[test]
fn a_file_that_is_named_must_be_there_and_be_toml() {
    let dir = tempfile::tempdir().unwrap();
    let mut flags = flags(dir.path());
    flags.file = Some(dir.path().join("other.toml"));
    let error = load_from(&flags, []).unwrap_err();
    assert!(error.to_string().contains("other.toml"), "{error}");
    disk::write(&dir.path().join("other.toml"), b"[registry", 0o644).unwrap();
    let error = load_from(&flags, []).unwrap_err();
    assert!(error.to_string().contains("is not TOML"), "{error}");
}

#[test]
fn a_file_may_not_move_the_directory_through_which_it_was_found() {
    let said = problems(with_file("data_dir = \"/elsewhere\"", &[]));
    assert!(said.contains("--config"), "{said}");
}

#[test]
fn a_secret_is_never_shown() {
    let config = with(&[("BERTH_TOKEN", "berth_pat_secret")]).unwrap();
    assert_eq!(config.client.token.as_deref(), Some("berth_pat_secret"));
    assert!(!format!("{:?}", config.shown).contains("secret"));
}

#[test]
fn commands_without_home_are_told_to_name_a_directory() {
    let nobody = load_from(&Flags::default(), []);
    match nobody {
        // Root has the system's directory.
        Ok(config) => assert_eq!(config.data_dir, Path::new("/var/lib/berth")),
        Err(error) => assert!(error.problems.contains(&Problem::NoDataDir)),
    }
}
