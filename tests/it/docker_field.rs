//! Applications and definitions as they are in the field: small hosts, slow and strict applications, definitions of ECS's,
//! containers that fail later.

use std::path::Path;
use std::time::Duration;

use api::{ServiceProblem, Status};
use model::{DeploymentFailure, RolloutState, StopCause, TaskStatus};

use crate::harness::{Berth, docker, holds, http, until, until_within};

#[test]
fn a_small_host_holds_eight_idle_services_and_rolls_out_a_push_to_each() {
    // Two cores and a gigabyte, whatever the host of this test has.
    let berth = Berth::up_with(&[("BERTH_AGENT_CPU", "2048"), ("BERTH_AGENT_MEMORY", "1024")]);
    docker::login(&berth);
    for n in 1..=8 {
        docker::push(&berth, &format!("s{n}"), "1", "none");
        berth.run(&["deploy", &format!("s{n}")]).ok();
    }
    docker::push(&berth, "s1", "2", "none");
    until("the push rolls out", || {
        let answer = http::get_from(&berth.router(), "s1.localhost", "/");
        answer.is_ok_and(|answer| answer.body.contains("version 2"))
    });
    let container = docker::containers(&berth.installation(), false).remove(0);
    assert_eq!(docker::inspect(&container, "{{.HostConfig.CpuShares}}"), "128");
    assert_ne!(
        docker::inspect(&container, "{{.HostConfig.Memory}}"),
        "0",
        "no one may take it all"
    );
    berth.run(&["status", "--check"]).ok();
    berth.run(&["deploy", "s1", "--cpu", "18446744073709551615"]).fails(2);
    berth.run(&["deploy", "s1", "--health-path", "/a b"]).fails(2);
    let nowhere = format!("s1@sha256:{}", "0".repeat(64));
    berth.run(&["deploy", "s1", "--image", &nowhere]).fails(3);
    assert_eq!(berth.service("s1").revision, 2, "what cannot be leaves no trace");
    berth.down();
}

#[test]
fn what_does_not_fit_beside_the_old_task_says_which_setting_lets_it() {
    let berth = Berth::up_with(&[("BERTH_AGENT_CPU", "1024"), ("BERTH_AGENT_MEMORY", "1024")]);
    docker::login(&berth);
    docker::push(&berth, "large", "1", "none");
    berth.run(&["deploy", "large", "--memory", "700"]).ok();
    let said = berth.run(&["deploy", "large", "--env", "A=1"]).fails(1);
    assert!(holds(&said, "--minimum-healthy-percent 0"), "{said}");
    assert!(holds(&berth.run(&["status", "--check"]).stdout, "--minimum-healthy-percent 0"));
    berth.run(&["status", "--check"]).fails(1);
    berth.run(&["service", "update", "large", "--minimum-healthy-percent", "0"]).ok();
    berth.settles("large");
    berth.run(&["status", "--check"]).ok();
    berth.down();
}

#[test]
fn an_application_that_listens_late_or_to_its_own_host_only_is_deployed() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "strict", "1", "strict");
    berth.run(&["deploy", "strict"]).ok();
    docker::push(&berth, "slow", "1", "slow");
    berth.run(&["deploy", "slow"]).ok();
    let answer = http::get_from(&berth.router(), "slow.localhost", "/").expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(berth.primary("slow").failed_tasks, 0);
    berth.down();
}

#[test]
fn a_version_that_ends_soon_after_it_was_healthy_is_rolled_back_while_it_is_watched() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "app", "1", "none");
    berth.run(&["deploy", "app"]).ok();
    berth.run(&["service", "update", "app", "--bake-time", "0"]).ok();
    until("version 1 has proved itself", || {
        berth.primary("app").rollout_state == RolloutState::Completed
    });
    berth.run(&["service", "update", "app", "--bake-time", "60"]).ok();
    docker::push(&berth, "app", "2", "crashes");
    until_within(Duration::from_mins(3), "it is rolled back", || {
        let primary = berth.primary("app");
        primary.rollback_of.is_some() && primary.rollout_state == RolloutState::Completed
    });
    let answer = http::get_from(&berth.router(), "app.localhost", "/").expect("an answer");
    assert!(answer.body.contains("version 1"), "{}", answer.body);
    let problems = berth.service("app").problems;
    assert!(
        matches!(&problems[..], [ServiceProblem::DeploymentFailed { rolled_back: true, .. }]),
        "{problems:?}"
    );
    berth.run(&["status", "--check"]).fails(1);
    let failed = berth.service("app").events.into_iter().find_map(|event| match event.event {
        Some(model::EventKind::DeploymentFailed { failure, .. }) => Some(failure),
        _ => None,
    });
    assert!(matches!(failed, Some(DeploymentFailure::TasksFailed { count: 3, .. })), "{failed:?}");
    berth.down();
}

#[test]
fn the_whole_log_of_a_container_outlives_it_and_ids_are_taken_by_their_first_digits() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "loud", "1", "loud");
    let image = format!("{}/loud:latest", berth.registry());
    let main = serde_json::json!({"name": "app", "image": image, "cpu": 32});
    berth.register(&serde_json::json!({"family": "trace", "containerDefinitions": [main]}));
    let id = berth.run_task("trace");
    until("the task has stopped", || berth.task(&id).last_status == TaskStatus::Stopped);
    let installation = berth.installation();
    until("its container is gone", || docker::containers(&installation, true).is_empty());
    let log = berth.run(&["task", "logs", &id[..16]]).ok();
    assert!(log.contains("the root cause"), "{log}");
    assert_eq!(log.lines().count(), 62, "one of the start, the cause, and sixty more: {log}");
    let tail = berth.run(&["task", "logs", &id, "-n", "2"]).ok();
    assert!(tail.lines().count() == 2 && tail.contains("line 60"), "{tail}");
    berth.down();
}

#[test]
fn a_task_as_fargate_has_it_is_bounded_as_a_whole() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "ok", "1", "none");
    let image = format!("{}/ok:latest", berth.registry());
    berth.register(&serde_json::json!({
        "family": "fg", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "0.25 vCPU", "memory": "0.5 GB",
        "containerDefinitions": [{
            "name": "app", "image": image, "essential": true, "readonlyRootFilesystem": null,
            "portMappings": [{"containerPort": 8080, "hostPort": 8080}],
        }],
    }));
    let id = berth.run_task("fg");
    until("the task runs", || berth.task(&id).last_status == TaskStatus::Running);
    let installation = berth.installation();
    let container = docker::containers(&installation, false).remove(0);
    let parent = docker::inspect(&container, "{{.HostConfig.CgroupParent}}");
    let status: Status = berth.json(&["status"]);
    if status.instances[0].divides_limits.is_none() {
        assert!(parent.contains(&id), "{parent}");
    } else {
        assert_ne!(docker::inspect(&container, "{{.HostConfig.Memory}}"), "0");
    }
    berth.down();
    let left = Path::new("/sys/fs/cgroup/memory/berth").join(&id);
    assert!(!left.exists(), "its control group goes with it");
}

#[test]
fn a_port_that_berth_itself_holds_is_named_as_such() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "ok", "1", "none");
    let image = format!("{}/ok:latest", berth.registry());
    let router = berth.router();
    let port: u16 = router.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    berth.register(&serde_json::json!({"family": "own", "containerDefinitions": [{
        "name": "app", "image": image, "portMappings": [{"containerPort": 8080, "hostPort": port}],
    }]}));
    let id = berth.run_task("own");
    until("the task has stopped", || berth.task(&id).last_status == TaskStatus::Stopped);
    let task = berth.task(&id);
    assert_eq!(task.stop_cause, Some(StopCause::PortTaken), "{task:?}");
    let reason = task.stopped_reason.unwrap_or_default();
    assert!(holds(&reason, "Berth's own"), "{reason}");
    berth.down();
}
