//! The command as people and scripts meet it: errors by code, tokens that are missing or wrong, an interrupted wait.

use api::Status;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Berth, docker, holds, http, until};

#[track_caller]
fn error(text: &str) -> (String, u64) {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|why| panic!("{why}: {text}"));
    let code = document["code"].as_str().unwrap_or_default().to_owned();
    assert!(document["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{text}");
    (code, document["exitCode"].as_u64().unwrap_or_default())
}

#[test]
fn errors_have_codes_and_json_where_data_is_json() {
    let berth = Berth::up();
    let said = berth.run(&["service", "show", "nosuch", "-o", "json"]).fails(3);
    assert_eq!(error(&said), ("ServiceNotFound".to_owned(), 3));
    let said = berth.run(&["frobnicate", "-o", "json"]).fails(2);
    assert_eq!(error(&said), ("Usage".to_owned(), 2));
    let said = berth.run(&["task", "show", "xyz", "--output=json"]).fails(2);
    assert_eq!(error(&said).0, "Usage");
    let said = berth.run(&["rule", "add", "a", "--host", "b", "--priority", "0", "-o", "json"]);
    assert_eq!(error(&said.fails(3)).0, "ServiceNotFound");
    berth.run(&["service", "rm", "nosuch"]).fails(3);
    berth.run(&["help", "deploy"]).ok();
    berth.down();
}

#[test]
fn a_host_that_trusts_no_authority_yet_runs_berth() {
    let nothing = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let berth = Berth::up_with(&nothing);
    berth.run(&["status"]).ok();
    berth.down();
}

#[test]
fn no_token_a_wrong_one_and_one_that_cannot_be_read_are_told_apart() {
    let berth = Berth::up();
    let other = berth.home().join("other");
    let (url, token) = (berth.admin(), berth.token());
    let admin = url.trim_start_matches("http://").to_owned();
    let other_dir = other.display().to_string();
    let elsewhere =
        [("BERTH_DATA_DIR", other_dir.as_str()), ("BERTH_ADMIN_LISTEN", admin.as_str())];
    let missing = berth.run_with(&elsewhere, &["status"]).fails(4);
    assert!(missing.contains("admin.token") && holds(&missing, "does not exist"), "{missing}");
    std::fs::create_dir(&other).expect("a directory");
    disk::write(&other.join("admin.token"), b"berth_pat_wrong\n", 0o600).expect("written");
    let wrong = berth.run_with(&elsewhere, &["status"]).fails(4);
    assert!(holds(&wrong, "another installation"), "{wrong}");
    let said = berth.run_with(&[("BERTH_TOKEN", "wrong")], &["status"]).fails(4);
    assert!(said.contains("BERTH_TOKEN"), "{said}");
    std::fs::remove_file(other.join("admin.token")).expect("removed");
    std::fs::create_dir(other.join("admin.token")).expect("what is no file cannot be read");
    let unreadable = berth.run_with(&elsewhere, &["status"]).fails(4);
    assert!(unreadable.contains("admin.token"), "{unreadable}");
    for url in [format!("{url}/api/v1"), format!("{url}/"), admin.clone()] {
        let settings = [("BERTH_URL", url.as_str()), ("BERTH_TOKEN", token.as_str())];
        berth.run_with(&settings, &["status"]).ok();
    }
    berth.run_with(&[("BERTH_URL", url.as_str())], &["status"]).fails(4);
    berth.down();
}

#[test]
fn a_wait_that_is_interrupted_says_that_the_deployment_goes_on() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "slow", "1", "slow");
    let mut deploy = berth.spawn(&[], &["deploy", "slow"]);
    until("the task runs", || {
        let said = berth.run(&["service", "show", "slow", "-o", "json"]);
        let service = serde_json::from_str::<api::Service>(&said.stdout);
        service.is_ok_and(|service| service.running_count == 1)
    });
    let pid = i32::try_from(deploy.id()).ok().and_then(Pid::from_raw).expect("pids are small");
    kill_process(pid, Signal::INT).expect("our own child can be interrupted");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut deploy.stderr.take().expect("a pipe"), &mut said)
        .expect("text");
    assert_eq!(deploy.wait().expect("our own child ends").code(), Some(130), "{said}");
    assert!(holds(&said, "goes on") && said.contains("service show slow"), "{said}");
    berth.settles("slow");
    berth.down();
}

#[test]
fn a_unit_that_is_printed_is_one_that_systemd_takes() {
    let berth = Berth::idle(&[]);
    for role in [None, Some("server"), Some("agent"), Some("router")] {
        let mut arguments = vec!["install", "--print"];
        arguments.extend(role.iter().flat_map(|role| ["--role", role]));
        let text = berth.run(&arguments).ok();
        let file = berth.home().join(format!("berth-{}.service", role.unwrap_or("all")));
        disk::write(&file, text.as_bytes(), 0o600).expect("written");
        let verified =
            std::process::Command::new("systemd-analyze").arg("verify").arg(&file).output();
        let verified = verified.expect("this test needs systemd-analyze: apt install systemd");
        let said = String::from_utf8_lossy(&verified.stderr);
        let about = file.file_name().expect("it has a name").to_string_lossy().into_owned();
        let complaints: Vec<&str> = said.lines().filter(|line| line.contains(&about)).collect();
        assert!(verified.status.success() && complaints.is_empty(), "{said}");
    }
}

#[test]
fn a_manifest_that_a_service_may_go_back_to_is_not_deleted() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello"]).ok();
    let first = berth.service("hello").images.values().next().expect("an image").digest;
    docker::push(&berth, "hello", "2", "none");
    let url = format!("http://{}/v2/hello/manifests/{first}", berth.registry());
    let token = format!("Bearer {}", berth.token());
    let delete = || {
        let headers = [("Authorization", token.as_str())];
        http::request(&url, "DELETE", None, &headers, "").expect("an answer").status
    };
    assert_eq!(delete(), 405, "it runs, or can be rolled back to");
    berth.run(&["service", "rm", "hello", "--yes"]).ok();
    assert_eq!(delete(), 202);
    let status: Status = berth.json(&["status"]);
    assert_eq!(status.services, []);
    berth.down();
}
