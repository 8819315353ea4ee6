//! Errors name the cause and the next step.

use std::net::TcpListener;

use api::Task;
use model::{Dimension, FilterReason, PlacementFailure, StopCause, StopCode};

use crate::harness::{Berth, docker, holds, http, until};

/// Why the instances do not take a task of the service.
#[track_caller]
fn lacks(berth: &Berth, service: &str) -> Vec<FilterReason> {
    match berth.service(service).placement_failure_cause {
        Some(PlacementFailure::NoInstanceFits { instances, .. }) => {
            instances.into_iter().map(|filtered| filtered.reason).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_container_that_exits_at_once_is_named_with_its_last_log_lines() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "bad", "1", "exits");
    let said = berth.run(&["deploy", "bad"]).fails(8);
    assert!(holds(&said, "exited with code 1"), "{said}");
    assert!(said.contains("broken on purpose"), "{said}");
    assert!(holds(&said, "berth service events bad"), "{said}");
    let by_itself = |task: &Task| task.stop_code == Some(StopCode::EssentialContainerExited);
    let stopped = berth.stopped_tasks("bad");
    assert!(stopped.iter().any(by_itself), "{stopped:#?}");
    berth.down();
}

#[test]
fn a_service_that_never_becomes_healthy_is_named_with_the_failed_check() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "sick", "1", "unhealthy");
    let said = berth.run(&["deploy", "sick"]).fails(8);
    assert!(said.contains("500"), "{said}");
    let by_health = |task: &Task| task.stop_cause == Some(StopCause::NeverHealthy);
    let stopped = berth.stopped_tasks("sick");
    assert!(stopped.iter().any(by_health), "{stopped:#?}");
    berth.down();
}

#[test]
fn an_image_that_does_not_exist_is_named_with_how_to_push_it() {
    let berth = Berth::up();
    let said = berth.run(&["deploy", "nothing"]).fails(3);
    assert!(said.contains("nothing:latest") && holds(&said, "docker push"), "{said}");
    berth.down();
}

#[test]
fn an_image_for_another_platform_is_named_with_what_the_instances_run() {
    let berth = Berth::up();
    docker::login(&berth);
    let architecture = if cfg!(target_arch = "aarch64") { "amd64" } else { "arm64" };
    docker::push_with(&berth, "foreign", "1", &["--architecture", architecture]);
    let said = berth.run(&["deploy", "foreign"]).fails(1);
    assert!(said.contains(&format!("linux/{architecture}")), "{said}");
    let lacks = lacks(&berth, "foreign");
    assert!(matches!(lacks.as_slice(), [FilterReason::Platform { .. }]), "{lacks:?}");
    berth.down();
}

#[test]
fn a_truncated_upload_is_refused_and_leaves_the_repository_as_it_was() {
    let berth = Berth::up();
    let registry = format!("http://{}", berth.registry());
    let bearer = format!("Bearer {}", berth.token());
    let authorization = [("Authorization", bearer.as_str())];
    let begun = format!("{registry}/v2/half/blobs/uploads/");
    let begun = http::request(&begun, "POST", None, &authorization, "").expect("an answer");
    assert_eq!(begun.status, 202, "{}", begun.body);
    let upload = format!("{registry}{}", begun.header("location").expect("where to go on"));

    // Ten bytes are announced and three are sent before the connection is cut.
    http::cut_off(&upload, "PATCH", &authorization, 10, "abc");
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let finish = format!("{upload}{}digest={digest}", if upload.contains('?') { '&' } else { '?' });
    let put = || http::request(&finish, "PUT", None, &authorization, "abd").expect("an answer");
    let mut refused = put();
    until("the cut-off request is over", || {
        if refused.status == 416 {
            refused = put();
        }
        refused.status != 416
    });
    assert_eq!(refused.status, 400, "what was cut off is no part of it: {}", refused.body);
    assert!(refused.body.contains("DIGEST_INVALID"), "{}", refused.body);
    let blob = format!("{registry}/v2/half/blobs/{digest}");
    let blob = http::request(&blob, "GET", None, &authorization, "").expect("an answer");
    assert_eq!(blob.status, 404, "nothing was stored");
    berth.down();
}

#[test]
fn no_room_on_any_instance_is_named_with_need_and_rest() {
    let berth = Berth::up_with(&[("BERTH_AGENT_CPU", "1024"), ("BERTH_AGENT_MEMORY", "256")]);
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    let said = berth.run(&["deploy", "hello", "--memory", "512"]).fails(1);
    assert!(holds(&said, "512 MiB") && holds(&said, "join-token"), "{said}");
    let lacks = lacks(&berth, "hello");
    let [FilterReason::InsufficientResources { shortfalls }] = lacks.as_slice() else {
        panic!("{lacks:?}")
    };
    assert_eq!((&shortfalls[0].dimension, shortfalls[0].needed), (&Dimension::Memory, 512));
    berth.down();
}

#[test]
fn a_wrong_token_is_forbidden_and_says_where_the_right_one_is() {
    let berth = Berth::up();
    let said = berth.run_with(&[("BERTH_TOKEN", "berth_pat_wrong")], &["status"]).fails(4);
    assert!(holds(&said, "token"), "{said}");
    let anonymous = http::get(&format!("{}/api/v1/status", berth.admin())).expect("an answer");
    assert_eq!(anonymous.status, 401);
    assert_eq!(anonymous.header("content-type"), Some("application/problem+json"));
    berth.down();
}

#[test]
fn a_port_in_use_is_named_with_the_setting_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let berth = Berth::idle(&[("BERTH_REGISTRY_LISTEN", &address)]);
    let said = berth.run(&["up"]);
    assert_ne!(said.code, 0);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains(&address) && text.contains("BERTH_REGISTRY_LISTEN"), "{text}");
}

#[test]
fn a_bad_configuration_key_is_named_before_anything_starts() {
    let berth = Berth::idle(&[]);
    std::fs::create_dir_all(berth.data()).expect("a directory");
    let file = std::fs::File::create(berth.data().join("berth.toml")).expect("a file");
    std::io::Write::write_all(&mut &file, b"[router]\nlisten_on = \"0.0.0.0:80\"\n")
        .expect("written");
    let said = berth.run(&["up"]);
    assert_ne!(said.code, 0);
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("listen_on") && text.contains("listen"), "{text}");
}

#[test]
fn docker_that_is_not_there_is_named_by_up_and_by_the_demo() {
    let mut berth = Berth::idle(&[("BERTH_AGENT_DOCKER_HOST", "unix:///nowhere/docker.sock")]);
    let said =
        berth.run_with(&[("DOCKER_HOST", "unix:///nowhere/docker.sock")], &["demo", "--once"]);
    assert!(holds(&said.fails(1), "Docker"), "the demo says what is missing");
    let mut up = berth.spawn(&[], &["up"]);
    until("the agent's trouble is told", || {
        let log = std::fs::read_to_string(berth.data().join("log/agent.log")).unwrap_or_default();
        log.contains("/nowhere/docker.sock")
    });
    crate::harness::kill(i32::try_from(up.id()).expect("pids are small"));
    up.wait().expect("our own child ends");
    berth.give_up();
}

#[test]
fn a_server_that_is_not_there_is_named_with_how_to_start_it() {
    let berth = Berth::idle(&[]);
    let said =
        berth.run_with(&[("BERTH_URL", "http://127.0.0.1:9"), ("BERTH_TOKEN", "x")], &["status"]);
    assert!(holds(&said.fails(7), "berth up"));
}
