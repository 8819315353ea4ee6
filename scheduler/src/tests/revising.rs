//! Settings are rolled out as images are: what a deployment brings comes and goes with it.

use model::observed::TargetHealth;
use model::{
    DeploymentStage, PinnedImage, RolloutState, ServiceId, ServiceRevision, StopCause, TaskId,
};

use super::world::{World, digest};

fn grown(desired: u32) -> (World, ServiceId) {
    let mut world = World::with_instances(&[2000, 2000]);
    world.router();
    world.push("hello", 1);
    let service = world.web("hello", desired);
    world.grow(service);
    (world, service)
}

fn on_other_host(world: &mut World, service: ServiceId, path: &str) {
    let route = world.route("new.localhost");
    world.change(service, |revision| {
        revision.load_balancers[0].routes = vec![route];
        revision.load_balancers[0].health_check.path = path.to_owned();
    });
}

fn requested(world: &World, service: ServiceId) -> &ServiceRevision {
    world.state.requested_revision(world.state.service(service).unwrap()).unwrap()
}

fn state_of(world: &World, service: ServiceId) -> (RolloutState, DeploymentStage) {
    let service = world.state.service(service).unwrap();
    let deployment = world.state.current_deployment(service).unwrap();
    (deployment.rollout_state, deployment.stage)
}

fn newest(world: &World, service: ServiceId) -> TaskId {
    *world.wanted(service).last().unwrap()
}

/// Each task of the newest deployment runs, and does what `end` does to it, until nothing is tried any more.
#[track_caller]
fn try_out(world: &mut World, service: ServiceId, end: impl Fn(&mut World, TaskId)) -> String {
    let mut log = String::new();
    for _ in 0..20 {
        log.push_str(&world.settle());
        log.push('\n');
        world.run(service);
        let deployment = world.state.service(service).unwrap().deployment;
        let tasks = world.state.tasks_of(service).filter(|task| task.wanted());
        let own = tasks.filter(|task| task.deployment == deployment).map(|task| task.id);
        for id in own.collect::<Vec<_>>() {
            end(world, id);
        }
        world.secs(30);
        world.reap();
    }
    log
}

#[test]
fn a_wrong_health_path_leaves_the_tasks_that_serve_alone_and_is_rolled_back_with_its_check() {
    let (mut world, service) = grown(3);
    let before = world.wanted(service);
    let proven = requested(&world, service).id;
    on_other_host(&mut world, service, "/healtz");
    let log = try_out(&mut world, service, |world, id| {
        world.see(id, TargetHealth::Initial, Some("GET /healtz answered 404"));
    });
    assert!(log.contains("fail deployment2: 3 tasks failed, the last one: NeverHealthy"), "{log}");
    assert!(log.contains("start deployment3 of image1, back from deployment2"), "{log}");
    assert_eq!(world.wanted(service), before, "nobody touched what serves");
    assert_eq!(requested(&world, service).id, proven, "what is asked for next builds on it");
    assert_eq!(requested(&world, service).load_balancers[0].health_check.path, "/");
    assert_eq!(world.hosts(service), ["hello.localhost"]);
    assert_eq!(world.settle(), "");
}

#[test]
fn the_rules_of_a_revision_come_with_its_first_healthy_task_and_the_older_ones_go_with_the_last() {
    let (mut world, service) = grown(2);
    on_other_host(&mut world, service, "/");
    world.settle();
    world.run(service);
    assert_eq!(world.hosts(service), ["hello.localhost"]);
    let first = world.wanted(service)[2];
    world.see(first, TargetHealth::Healthy, None);
    world.settle();
    assert_eq!(world.hosts(service), ["new.localhost", "hello.localhost"]);
    world.heal(service);
    assert!(world.settle().contains("bake deployment2"));
    assert_eq!(world.hosts(service), ["new.localhost"]);
    assert_eq!(state_of(&world, service).0, RolloutState::InProgress, "it is watched");
    world.reap();
    world.settle();
    world.secs(60);
    world.settle();
    assert_eq!(state_of(&world, service).0, RolloutState::Completed);
}

#[test]
fn a_first_deployment_is_reached_before_it_has_a_task() {
    let mut world = World::with_instances(&[2000]);
    world.push("hello", 1);
    let service = world.web("hello", 1);
    assert_eq!(world.hosts(service), ["hello.localhost"]);
}

#[test]
fn tasks_that_are_healthy_and_then_exit_are_rolled_back_in_the_bake() {
    let (mut world, service) = grown(1);
    world.push("hello", 2);
    let log = try_out(&mut world, service, |world, id| {
        let image = world.state.task(id).unwrap().containers()[0].image.digest;
        world.see(id, TargetHealth::Healthy, None);
        if image == digest(2) {
            world.settle();
            world.secs(6);
            world.fail(id);
        }
    });
    let count = |what: &str| log.matches(what).count();
    assert_eq!(
        count("fail deployment2: 3 tasks failed, the last one: ContainerExited"),
        1,
        "{log}"
    );
    assert!(log.contains("start deployment3 of image1, back from deployment2"), "{log}");
    assert_eq!(state_of(&world, service).0, RolloutState::Completed);
    assert!(!log.contains("complete deployment2"), "{log}");
}

#[test]
fn an_exit_in_the_bake_makes_it_longer_and_what_nobody_is_to_blame_for_does_not() {
    let (mut world, service) = grown(1);
    world.push("hello", 2);
    world.settle();
    world.run(service);
    world.heal(service);
    world.settle();
    world.reap();
    world.settle();
    let until = |world: &World| match state_of(world, service).1 {
        DeploymentStage::Replaced { bake_until } => bake_until.unwrap(),
        DeploymentStage::Starting | DeploymentStage::Serving => panic!("it is not watched"),
    };
    let begun = until(&world);
    world.secs(20);
    let task = newest(&world, service);
    world.fail_with(task, StopCause::InstanceLost);
    assert_eq!(until(&world), begun);
    world.settle();
    world.secs(1);
    world.settle();
    world.run(service);
    world.heal(service);
    world.settle();
    let task = newest(&world, service);
    world.fail(task);
    assert_eq!(until(&world).since(world.now).as_secs(), 60);
}

#[test]
fn exits_of_a_completed_deployment_are_answered_ever_more_slowly() {
    let (mut world, service) = grown(1);
    let mut pauses = Vec::new();
    for _ in 0..6 {
        let task = newest(&world, service);
        world.fail(task);
        world.settle();
        let mut waited = 0;
        while world.wanted(service).is_empty() {
            world.pass(std::time::Duration::from_millis(100));
            world.settle();
            waited += 1;
        }
        pauses.push(waited);
        world.run(service);
        world.heal(service);
        world.settle();
        world.secs(6);
    }
    assert_eq!(pauses[0], 0, "the first is replaced at once");
    assert!(pauses[5] > 3 * pauses[2] && pauses[2] > 0, "{pauses:?}");
    assert_eq!(state_of(&world, service).0, RolloutState::Completed, "it is not given up");
}

#[test]
fn a_roll_back_keeps_the_count_and_brings_the_image_and_the_settings_back() {
    let (mut world, service) = grown(1);
    on_other_host(&mut world, service, "/");
    world.push("hello", 2);
    world.scale(service, 2);
    let log = try_out(&mut world, service, |world, id| {
        let image = world.state.task(id).unwrap().containers()[0].image.digest;
        if image == digest(2) {
            world.fail(id);
        } else {
            world.see(id, TargetHealth::Healthy, None);
        }
    });
    assert!(log.contains("on unproven 2"), "{log}");
    assert!(log.contains("back from deployment3"), "{log}");
    assert_eq!(world.state.service(service).unwrap().desired_count, 2);
    assert_eq!(world.hosts(service), ["hello.localhost"]);
    let images: Vec<_> = requested(&world, service).images.values().collect();
    let first = PinnedImage { repository: "hello".parse().unwrap(), digest: digest(1) };
    assert_eq!(images, [&first]);
}

#[test]
fn a_push_builds_on_the_newest_settings_that_were_asked_for() {
    let (mut world, service) = grown(1);
    on_other_host(&mut world, service, "/");
    world.push("hello", 2);
    world.settle();
    let newest = requested(&world, service);
    assert_eq!((newest.number, newest.base.is_some()), (3, true));
    assert_eq!(newest.load_balancers[0].routes[0].conditions.host_header, ["new.localhost"]);
    assert_eq!(newest.images.values().next().unwrap().digest, digest(2));
    assert_eq!(newest.created_by, "user/admin", "whoever pushed");
}

#[test]
fn what_was_rolled_out_to_no_task_is_proved_when_there_are_some() {
    let (mut world, service) = grown(1);
    world.scale(service, 0);
    world.settle();
    world.reap();
    world.settle();
    let proven = requested(&world, service).id;
    on_other_host(&mut world, service, "/healtz");
    world.settle();
    assert_eq!(state_of(&world, service).0, RolloutState::Completed);
    assert_eq!(world.hosts(service), ["new.localhost"], "its rules act at once");
    assert_eq!(world.state.service(service).unwrap().completed, [proven]);
    world.scale(service, 1);
    assert_eq!(state_of(&world, service).0, RolloutState::InProgress);
    let log = try_out(&mut world, service, |world, id| {
        let task = world.state.task(id).unwrap();
        let is_wrong = world.state.load_balancers_of(task)[0].health_check.path == "/healtz";
        if is_wrong {
            world.see(id, TargetHealth::Initial, Some("GET /healtz answered 404"));
        } else {
            world.see(id, TargetHealth::Healthy, None);
        }
    });
    assert!(log.contains("back from deployment2"), "{log}");
    assert_eq!(world.hosts(service), ["hello.localhost"]);
}
