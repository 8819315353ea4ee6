//! Pushes, rolling deployments, the circuit breaker and roll-backs.

use std::time::Duration;

use model::observed::TargetHealth;
use model::{RepositoryChange, RolloutState, ServiceChange, ServiceId, TaskStatus, Timestamp};

use super::world::{World, digest};

fn web(desired: u32) -> (World, ServiceId) {
    let mut world = World::with_instances(&[2000, 2000]);
    world.router();
    world.push("hello", 1);
    let service = world.web("hello", desired);
    (world, service)
}

#[track_caller]
fn check(actual: &str, expected: &[&str]) {
    assert_eq!(actual.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn many_services_roll_out_at_once_in_batches_that_each_fit_a_commit() {
    let mut world = World::with_instances(&[2000]);
    let names: Vec<_> = (1..=40).map(|n| format!("hello-{n}")).collect();
    for name in &names {
        world.push(name, 1);
        world.service(name, 0);
    }
    assert_eq!(world.settle().matches("complete deployment").count(), 40);
    for name in &names {
        world.push(name, 2);
    }
    assert_eq!(world.settle().matches("start deployment").count(), 40);
}

#[test]
fn a_push_rolls_out_new_tasks_first() {
    let (mut world, service) = web(2);
    world.grow(service);
    world.push("hello", 2);
    check(
        &world.settle(),
        &[
            "start deployment2 of image2",
            "create task3 of image2 on i1",
            "create task4 of image2 on i2",
        ],
    );
    world.run(service);
    assert_eq!(world.settle(), "", "running is not healthy");
    let new = world.wanted(service)[2];
    world.see(new, TargetHealth::Healthy, None);
    check(&world.settle(), &["task3 is healthy", "stop task2 (Replaced)"]);
    world.heal(service);
    check(&world.settle(), &["task4 is healthy", "stop task1 (Replaced)", "bake deployment2"]);
    assert_eq!(world.settle(), "");
    world.secs(59);
    world.reap();
    assert!(!world.settle().contains("complete"), "it is watched for a minute");
    world.secs(1);
    check(&world.settle(), &["complete deployment2"]);
}

#[test]
fn a_task_that_never_becomes_healthy_does_not_replace_the_old_one_and_is_rolled_back() {
    let (mut world, service) = web(1);
    world.grow(service);
    world.push("hello", 2);
    world.settle();
    let mut log = String::new();
    for _ in 0..400 {
        world.run(service);
        for id in world.wanted(service) {
            let image = world.state.task(id).unwrap().containers()[0].image.digest;
            if image == digest(2) {
                world.see(id, TargetHealth::Initial, Some("GET / answered 500"));
            }
        }
        world.pass(Duration::from_millis(500));
        log.push_str(&world.settle());
        log.push('\n');
        world.reap();
        let old = world.state.tasks_of(service).filter(|t| t.wanted() && t.healthy_at().is_some());
        assert_eq!(old.count(), 1, "the old task stays");
    }
    let lines: Vec<_> =
        log.lines().filter(|line| line.contains("fail") || line.contains("deploy")).collect();
    assert_eq!(
        lines,
        [
            "fail task2 (NeverHealthy)",
            "fail task3 (NeverHealthy)",
            "fail task4 (NeverHealthy)",
            "fail deployment2: 3 tasks failed, the last one: NeverHealthy",
            "start deployment3 of image1, back from deployment2",
            "complete deployment3",
        ],
        "a bad push is tried once"
    );
    assert_eq!(world.state.service(service).unwrap().last_tried.values().next(), Some(&digest(2)));
}

#[test]
fn going_back_starts_what_is_missing_of_what_ran_before() {
    let (mut world, service) = web(2);
    world.bounds(service, 50, 100);
    world.grow(service);
    world.push("hello", 2);
    assert!(world.settle().contains("stop task2"));
    world.reap();
    world.settle();
    let mut log = String::new();
    for _ in 0..3 {
        world.reap();
        world.secs(61);
        log.push_str(&world.settle());
        let bad = world.wanted(service).into_iter().find(|id| {
            let task = world.state.task(*id).unwrap();
            task.containers()[0].image.digest == digest(2)
        });
        if let Some(bad) = bad {
            world.report(bad, TaskStatus::Running, None);
            world.fail(bad);
        }
    }
    log.push_str(&world.settle());
    assert!(log.contains("start deployment3 of image1, back from deployment2"), "{log}");
    world.grow(service);
    let images: Vec<_> = world
        .wanted(service)
        .iter()
        .map(|id| world.state.task(*id).unwrap().containers()[0].image.digest)
        .collect();
    assert_eq!(images, [digest(1), digest(1)]);
    assert!(log.contains("the last one: ContainerExited"), "{log}");
}

#[test]
fn a_new_push_supersedes_a_bad_one() {
    let (mut world, service) = web(2);
    world.grow(service);
    world.push("hello", 2);
    world.settle();
    world.push("hello", 3);
    let plan = world.settle();
    assert!(plan.starts_with("start deployment3 of image3"), "{plan}");
    assert_eq!(plan.matches("(Replaced)").count(), 2, "{plan}");
    world.grow(service);
    let running: Vec<_> = world.wanted(service);
    let images =
        running.iter().map(|id| world.state.task(*id).unwrap().containers()[0].image.digest);
    assert_eq!(images.collect::<Vec<_>>(), [digest(3), digest(3)]);
}

#[test]
fn running_tasks_stay_through_two_quick_pushes_until_the_last_one_serves() {
    let mut world = World::with_instances(&[2000]);
    world.push("hello", 1);
    let service = world.service("hello", 2);
    world.settle();
    world.run(service);
    for n in 2..=3 {
        world.secs(5);
        world.push("hello", n);
        let plan = world.settle();
        assert_eq!(plan.matches("create").count(), 2, "{plan}");
        // Those of image 2 have not been started yet when image 3 comes.
        assert_eq!(plan.matches("stop").count(), usize::from(n == 3) * 2, "{plan}");
    }
    world.run(service);
    world.secs(40);
    let plan = world.settle();
    assert!(plan.contains("bake deployment3"), "{plan}");
}

#[test]
fn a_tag_that_goes_back_to_what_runs_is_noted_and_a_tag_that_vanishes_changes_nothing() {
    let (mut world, service) = web(1);
    world.grow(service);
    world.apply(ServiceChange::NoteTried {
        service,
        digests: [("web".parse().unwrap(), digest(7))].into(),
    });
    check(&world.settle(), &["note what was tried"]);
    world.apply(RepositoryChange::RemoveTag {
        repository: "hello".parse().unwrap(),
        tag: "latest".parse().unwrap(),
    });
    assert_eq!(world.settle(), "");
}

#[test]
fn a_service_that_does_not_follow_tags_is_left_alone_by_a_push() {
    let (mut world, service) = web(1);
    world.grow(service);
    world.apply(ServiceChange::Update(model::change::ServiceUpdate {
        service: Some(service),
        follow_tags: Some(false),
        ..Default::default()
    }));
    world.push("hello", 2);
    assert_eq!(world.settle(), "");
}

#[test]
fn old_tasks_go_down_to_the_minimum_where_the_maximum_leaves_no_room() {
    let (mut world, service) = web(4);
    world.bounds(service, 50, 100);
    world.grow(service);
    world.push("hello", 2);
    let plan = world.settle();
    assert_eq!(plan.matches("stop ").count(), 2, "{plan}");
    assert_eq!(plan.matches("create ").count(), 2, "{plan}");
    world.run(service);
    world.reap();
    assert_eq!(world.settle().matches("stop ").count(), 0, "new ones are not healthy yet");
    world.heal(service);
    let plan = world.settle();
    assert_eq!((plan.matches("stop ").count(), plan.matches("create ").count()), (2, 2), "{plan}");
}

#[test]
fn a_deployment_without_any_legal_step_says_so() {
    let (mut world, service) = web(1);
    world.bounds(service, 100, 150);
    world.grow(service);
    world.push("hello", 2);
    check(&world.settle(), &["start deployment2 of image2", "say: NoLegalStep of 1 from 1 to 1"]);
    world.bounds(service, 100, 200);
    check(&world.settle(), &["create task2 of image2 on i2", "say: all is placed"]);
}

#[test]
fn without_a_connected_router_a_deployment_waits_fails_nothing_and_says_so() {
    let (mut world, service) = web(1);
    world.grow(service);
    let router = *world.observed.routers.keys().next().unwrap();
    let now = world.now;
    world.observed.hear_router(router, false, now);
    world.push("hello", 2);
    world.settle();
    world.run(service);
    world.secs(3600);
    check(&world.settle(), &["say: HealthUnknown"]);
    assert_eq!(world.wanted(service).len(), 2);
    let now = world.now;
    world.observed.hear_router(router, true, now);
    world.routers_apply();
    world.heal(service);
    let plan = world.settle();
    assert!(plan.contains("bake deployment2") && plan.contains("all is placed"), "{plan}");
}

#[test]
fn a_router_that_has_only_just_connected_is_heard_before_anything_counts_as_healthy() {
    let (mut world, service) = web(1);
    world.grow(service);
    let late = world.router();
    let now = world.now;
    world.observed.routers.remove(&late);
    world.observed.hear_router(late, true, now);
    world.push("hello", 2);
    world.settle();
    world.run(service);
    let heard = world.observed.routers.remove(&late).unwrap();
    world.heal(service);
    // It serves from a table of before the server's restart, in which no new task is.
    world.observed.hear_router(late, true, now);
    check(&world.settle(), &[]);
    world.observed.routers.insert(late, heard);
    world.heal(service);
    let plan = world.settle();
    assert!(plan.contains("task2 is healthy"), "{plan}");
}

#[test]
fn failing_tasks_are_started_again_ever_more_slowly() {
    let mut world = World::with_instances(&[2000]);
    world.push("hello", 1);
    let service = world.service("hello", 1);
    world.apply(ServiceChange::Update(model::change::ServiceUpdate {
        service: Some(service),
        deployment_configuration: Some(model::DeploymentConfiguration {
            deployment_circuit_breaker: model::CircuitBreaker { enable: false, rollback: false },
            ..Default::default()
        }),
        ..Default::default()
    }));
    let mut pauses = Vec::new();
    for _ in 0..11 {
        world.settle();
        let id = world.wanted(service)[0];
        world.report(id, TaskStatus::Running, None);
        world.fail(id);
        world.settle();
        assert_eq!(world.settle(), "", "it waits");
        let wake_at: Timestamp = world.plan().wake_at.unwrap();
        pauses.push(wake_at.since(world.now).as_millis());
        world.pass(wake_at.since(world.now));
    }
    let spans = [250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000];
    for (pause, span) in pauses.iter().zip(spans) {
        assert!((span / 2..=span).contains(pause), "{pauses:?}");
    }
}

#[test]
fn a_task_that_its_instance_let_down_is_nobodys_failure_and_tried_elsewhere_after_a_pause() {
    let mut world = World::with_instances(&[2000, 2000]);
    world.push("hello", 1);
    let service = world.service("hello", 1);
    let mut places = Vec::new();
    for span in [250, 500, 1000, 2000] {
        world.settle();
        let id = world.wanted(service)[0];
        let place = world.state.task(id).unwrap().placement().cloned().unwrap();
        places.push((place.instance, place.ports[0].host_port));
        world.fail_with(id, model::StopCause::PortTaken);
        assert_eq!(world.settle(), "");
        let pause = world.plan().wake_at.unwrap().since(world.now);
        assert!((span / 2..=span).contains(&pause.as_millis()), "{pause:?} of {span} ms");
        world.pass(pause);
    }
    let (one, two) = (world.nth_instance(1), world.nth_instance(2));
    let instances: Vec<_> = places.iter().map(|(instance, _)| *instance).collect();
    assert_eq!(instances, [one, two, one, two]);
    let ports: std::collections::BTreeSet<_> = places.iter().collect();
    assert_eq!(ports.len(), 4, "another port each time");
    world.settle();
    world.run(service);
    world.secs(60);
    assert_eq!(world.settle().matches("forget").count(), 4);
    let state = world.state.service(service).unwrap();
    assert_eq!(world.state.deployment(state.deployment.unwrap()).unwrap().failed_tasks, 0);
}

#[test]
fn a_first_deployment_that_fails_has_nothing_to_go_back_to_and_stops_launching() {
    let mut world = World::with_instances(&[2000]);
    world.push("hello", 1);
    let service = world.service("hello", 1);
    let mut log = Vec::new();
    for _ in 0..6 {
        log.push(world.settle());
        for id in world.wanted(service) {
            world.report(id, TaskStatus::Running, None);
            world.fail(id);
        }
        world.secs(61);
    }
    let log = log.join("\n");
    assert_eq!(log.matches("create ").count(), 3, "{log}");
    let given_up = "fail deployment1: 3 tasks failed, the last one: ContainerExited";
    assert!(log.contains(given_up), "{log}");
    world.push("hello", 2);
    assert!(world.settle().contains("start deployment2 of image2"), "the next push is tried");
}

#[test]
fn a_deployment_to_zero_tasks_is_complete_at_once() {
    let (mut world, service) = web(0);
    check(&world.settle(), &["complete deployment1"]);
    assert_eq!(world.wanted(service).len(), 0);
    let known = world.state.service(service).unwrap();
    assert_eq!(known.completed, [], "it has proved nothing");
    assert_eq!(world.hosts(service), ["hello.localhost"], "its rules act all the same");
}

#[test]
fn a_task_without_a_target_group_is_healthy_after_a_steady_while() {
    let mut world = World::with_instances(&[2000]);
    world.push("hello", 1);
    let service = world.service("hello", 1);
    world.settle();
    world.run(service);
    world.secs(9);
    assert_eq!(world.settle(), "");
    world.secs(1);
    check(&world.settle(), &["task1 is healthy", "bake deployment1"]);
    world.secs(60);
    check(&world.settle(), &["complete deployment1"]);
    let state = world.state.service(service).unwrap();
    let deployment = world.state.deployment(state.deployment.unwrap()).unwrap();
    assert_eq!(deployment.rollout_state, RolloutState::Completed);
}

#[test]
fn a_bake_time_that_is_set_to_zero_ends_a_watch_that_has_begun() {
    let (mut world, service) = web(1);
    world.grow(service);
    world.push("hello", 2);
    world.settle();
    world.run(service);
    world.heal(service);
    assert!(world.settle().contains("bake deployment2"));
    let known = world.state.service(service).unwrap().deployment_configuration.clone();
    world.apply(ServiceChange::Update(model::change::ServiceUpdate {
        service: Some(service),
        deployment_configuration: Some(model::DeploymentConfiguration {
            bake_time_in_seconds: 0,
            ..known
        }),
        ..Default::default()
    }));
    assert!(world.settle().contains("complete deployment2"));
}
