//! From `docker push` to an answered request, and every change after it.

use std::time::Duration;

use crate::harness::load::Load;
use api::{ServiceEvent, Tag, Task};
use model::{EventKind, RolloutState, StopCode};

use crate::harness::{Berth, docker, holds, http, until, until_within};

fn version(berth: &Berth, host: &str) -> String {
    let answer = http::get_from(&berth.router(), host, "/");
    answer.map(|answer| answer.body).unwrap_or_default()
}

#[test]
fn a_pushed_image_is_deployed_scaled_updated_rolled_back_and_removed() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");

    let said = berth.run(&["deploy", "hello", "--replicas", "2"]);
    assert!(said.stdout.trim().starts_with("http://hello.localhost:"), "{}", said.stdout);
    assert!(said.stderr.contains("8080"), "the port that EXPOSE gave is shown: {}", said.stderr);
    said.ok();
    let answer = http::get_from(&berth.router(), "hello.localhost", "/").expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("version 1"), "{}", answer.body);
    assert!(answer.header("x-request-id").is_some(), "{}", answer.head);
    let nobody = http::get_from(&berth.router(), "other.localhost", "/").expect("an answer");
    assert_eq!(nobody.status, 404);
    assert!(nobody.header("x-request-id").is_some(), "{}", nobody.head);

    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST", "PUT"]);
    berth.run(&["service", "scale", "hello", "4"]).ok();
    assert_eq!(berth.service("hello").running_count, 4);
    berth.run(&["service", "scale", "hello", "1"]).ok();
    until("three tasks are gone", || berth.tasks("hello").len() == 1);

    docker::push(&berth, "hello", "2", "none");
    until("version 2 answers", || version(&berth, "hello.localhost").contains("version 2"));
    until_within(Duration::from_mins(2), "version 2 has proved itself", || {
        berth.primary("hello").rollout_state == RolloutState::Completed
    });
    berth.run(&["service", "update", "hello", "--force-new-deployment"]).ok();
    berth.run(&["service", "rollback", "hello"]).ok();
    berth.settles("hello");
    load.goes_on(20);
    load.all_answered();

    let tags: Vec<Tag> = berth.list(&["image", "tags", "hello"]);
    assert_eq!(tags[0].tag.as_str(), "latest");
    assert_eq!(tags[0].platforms[0].to_string(), "linux/amd64");

    berth.run(&["service", "scale", "hello", "0"]).ok();
    until("nothing runs", || berth.tasks("hello").is_empty());
    let gone = http::get_from(&berth.router(), "hello.localhost", "/").expect("an answer");
    assert_eq!(gone.status, 503);
    assert!(gone.header("retry-after").is_some(), "{}", gone.head);

    let refused = berth.run(&["service", "rm", "hello"]).fails(2);
    assert!(holds(&refused, "--yes"), "{refused}");
    berth.run(&["service", "rm", "hello", "--yes"]).ok();
    assert_eq!(docker::containers(&berth.installation(), true), Vec::<String>::new());
    let nobody = http::get_from(&berth.router(), "hello.localhost", "/").expect("an answer");
    assert_eq!(nobody.status, 404);
    berth.run(&["service", "show", "hello"]).fails(3);
    berth.down();
}

#[test]
fn a_bad_push_is_rolled_back_and_tried_once() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2"]).ok();
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);

    docker::push(&berth, "hello", "2", "exits");
    let mut failed = None;
    until("the bad version is rolled back", || {
        let primary = berth.primary("hello");
        failed = primary.rollback_of;
        failed.is_some() && primary.rollout_state == RolloutState::Completed
    });
    let settled = berth.primary("hello").id;
    assert!(version(&berth, "hello.localhost").contains("version 1"));

    // The same digest again, under the same tag: nothing is tried.
    docker::push(&berth, "hello", "2", "exits");
    berth.run(&["service", "scale", "hello", "3"]).ok();
    assert_eq!(berth.primary("hello").id, settled);

    let events: Vec<ServiceEvent> = berth.list(&["service", "events", "hello"]);
    let tells = |event: &ServiceEvent| match &event.event {
        Some(EventKind::DeploymentFailed { deployment, .. }) => Some(*deployment) == failed,
        _ => false,
    };
    assert!(events.iter().any(tells), "{events:#?}");
    // One more may have been started in the moment in which the deployment was given up.
    let ended_by_itself = |task: &&Task| {
        task.deployment_id == failed && task.stop_code == Some(StopCode::EssentialContainerExited)
    };
    let stopped = berth.stopped_tasks("hello");
    let bad = &stopped.iter().find(ended_by_itself).expect("a failed task").containers[0];
    assert_eq!(bad.exit_code, Some(1));
    let tail = bad.log_tail.join("\n");
    assert!(tail.contains("broken on purpose"), "its last log lines are kept: {tail}");

    // A good push after it is tried again.
    docker::push(&berth, "hello", "3", "none");
    until("version 3 answers", || version(&berth, "hello.localhost").contains("version 3"));
    berth.settles("hello");
    load.all_answered();
    berth.down();
}

#[test]
fn a_version_that_never_becomes_healthy_does_not_replace_the_old_one() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello"]).ok();
    let load = Load::start(&berth.router(), "hello.localhost", &["GET"]);
    docker::push(&berth, "hello", "2", "unhealthy");
    // Three tasks in a row are given their time to become healthy, one after the other.
    until_within(Duration::from_mins(3), "the unhealthy version is rolled back", || {
        let primary = berth.primary("hello");
        primary.rollback_of.is_some() && primary.rollout_state == RolloutState::Completed
    });
    let events = berth.run(&["service", "events", "hello"]).ok();
    assert!(events.contains("500"), "the failed check is named: {events}");
    load.all_answered();
    berth.down();
}

#[test]
fn two_installations_on_one_docker_leave_each_other_alone() {
    let (one, other) = (Berth::up(), Berth::up());
    for (berth, version) in [(&one, "1"), (&other, "2")] {
        docker::login(berth);
        docker::push(berth, "hello", version, "none");
        berth.run(&["deploy", "hello"]).ok();
    }
    assert!(version(&one, "hello.localhost").contains("version 1"));
    assert!(version(&other, "hello.localhost").contains("version 2"));
    one.down();
    assert!(version(&other, "hello.localhost").contains("version 2"), "the other goes on");
    other.down();
}

#[test]
fn a_wrong_health_check_and_another_host_are_rolled_back_with_everything_that_they_changed() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2"]).ok();
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);
    let wrong = ["deploy", "hello", "--health-matcher", "204", "--host", "new.localhost"];
    let failed = berth.run(&wrong).fails(8);
    assert!(holds(&failed, "revision 1"), "{failed}");
    assert!(version(&berth, "hello.localhost").contains("version 1"));
    until("the host of what failed is gone", || {
        let answer = http::get_from(&berth.router(), "new.localhost", "/").expect("an answer");
        answer.status == 404
    });
    let revisions = berth.run(&["service", "revisions", "hello"]).ok();
    assert!(revisions.contains("HEALTH_CHECK") && revisions.contains("FAILED"), "{revisions}");
    load.all_answered();
    berth.down();
}
