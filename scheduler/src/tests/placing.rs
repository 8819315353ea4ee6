//! Where tasks go, and what is said when they go nowhere.

use std::collections::BTreeSet;

use model::{Change, InstanceChange, InstanceStatus, NewTask, ServiceId, TaskChange};
use serde_json::json;

use super::world::World;

#[track_caller]
fn says(world: &mut World, expected: &str) {
    let plan = world.settle();
    let said: Vec<_> = plan.lines().filter_map(|line| line.strip_prefix("say: ")).collect();
    assert_eq!(said, [expected], "{plan}");
    assert_eq!(world.settle(), "", "it is said once");
}

fn spread(world: &World, service: ServiceId) -> Vec<usize> {
    let count = |instance: &model::Instance| {
        let tasks = world.state.tasks_of(service);
        tasks.filter(|t| t.wanted() && t.instance() == Some(instance.id)).count()
    };
    world.state.instances().map(count).collect()
}

#[test]
fn tasks_of_a_service_are_spread_over_instances() {
    let mut world = World::with_instances(&[1000, 1000, 1000]);
    world.push("hello", 1);
    let service = world.service("hello", 7);
    world.settle();
    assert_eq!(spread(&world, service), [3, 2, 2]);
    world.push("other", 2);
    let other = world.service("other", 2);
    world.settle();
    assert_eq!(spread(&world, other), [0, 1, 1], "where fewest tasks are");
}

#[test]
fn reservations_stay_within_capacity_and_what_lacks_is_named() {
    let mut world = World::with_instances(&[250, 150]);
    world.push("hello", 1);
    let service = world.service("hello", 5);
    says(&mut world, "NoInstanceFits [2 InsufficientResources (CPU 50 of 100, MEMORY 50 of 100)]");
    assert_eq!(spread(&world, service), [2, 1]);
    world.instance(1000);
    let plan = world.settle();
    assert_eq!(plan.matches("on i3").count(), 2, "{plan}");
    assert!(plan.ends_with("say: all is placed"), "{plan}");
}

#[test]
fn what_reserves_nothing_is_placed_while_memory_is_left() {
    let mut world = World::with_instances(&[256]);
    world.says_no_resources = true;
    for n in 1..=4 {
        let name = format!("s{n}");
        world.push(&name, n);
        world.service(&name, 1);
    }
    assert_eq!(world.settle().matches("on i1").count(), 4, "64 MiB each");
    world.push("s5", 5);
    world.service("s5", 1);
    says(&mut world, "NoInstanceFits [1 InsufficientResources (MEMORY 0 of 64)]");
    // They use less than was expected.
    let host = world.nth_instance(1);
    let tasks: Vec<_> = world.state.tasks_on(host).map(|task| task.id).collect();
    let seen = world.observed.hosts.entry(host).or_default();
    seen.available_memory_mib = Some(1_000);
    seen.peak_memory_mib = tasks.into_iter().map(|task| (task, 16)).collect();
    let plan = world.settle();
    assert!(plan.contains("on i1"), "{plan}");
}

#[test]
fn what_reserves_nothing_goes_nowhere_where_the_host_measures_too_little() {
    let mut world = World::with_instances(&[4_000, 4_000]);
    world.says_no_resources = true;
    let (short, free) = (world.nth_instance(1), world.nth_instance(2));
    world.observed.hosts.entry(short).or_default().available_memory_mib = Some(192);
    world.observed.hosts.entry(free).or_default().available_memory_mib = Some(3_000);
    world.push("hello", 1);
    let service = world.service("hello", 4);
    world.settle();
    assert_eq!(spread(&world, service), [2, 2]);
    // What one of them used decides where the next ones go.
    let task = world.state.tasks_on(free).next().unwrap().id;
    world.observed.hosts.entry(free).or_default().peak_memory_mib.insert(task, 500);
    world.scale(service, 6);
    world.settle();
    assert_eq!(spread(&world, service), [2, 4]);
}

#[test]
fn every_reason_is_counted_by_instance() {
    let mut world = World::with_instances(&[50, 50, 1000, 1000]);
    let (draining, away) = (world.nth_instance(3), world.nth_instance(4));
    world.apply(InstanceChange::SetStatus { instance: draining, status: InstanceStatus::Draining });
    world.disconnect(away);
    world.secs(20);
    world.push("hello", 1);
    world.service("hello", 1);
    says(
        &mut world,
        "NoInstanceFits [2 InsufficientResources (CPU 50 of 100, MEMORY 50 of 100), 1 Draining, 1 NotConnected]",
    );
}

#[test]
fn an_image_goes_only_where_its_platform_runs() {
    let mut world = World::with_instances(&[1000]);
    world.push_for("hello", 1, &[("linux", "arm64")]);
    world.service("hello", 1);
    says(&mut world, "NoInstanceFits [1 Platform (linux/arm64 on linux/amd64)]");
    world.push_for("hello", 2, &[("linux", "arm64"), ("linux", "amd64")]);
    let plan = world.settle();
    assert!(plan.contains("create task1 of image2 on i1"), "{plan}");
}

#[test]
fn without_instances_it_says_so() {
    let mut world = World::new();
    world.push("hello", 1);
    world.service("hello", 1);
    says(&mut world, "NoInstanceFits []");
}

#[test]
fn an_instance_that_was_here_a_moment_ago_is_waited_for_before_anything_is_said() {
    let mut world = World::with_instances(&[1000]);
    world.disconnect(world.nth_instance(1));
    world.push("hello", 1);
    world.service("hello", 1);
    assert_eq!(world.settle(), "");
    assert_eq!(world.plan().wake_at.unwrap().since(world.now).as_secs(), 10);
    world.secs(10);
    says(&mut world, "NoInstanceFits [1 NotConnected]");
}

#[test]
fn a_host_port_that_is_named_is_given_to_one_task_per_instance() {
    let mut world = World::with_instances(&[1000, 1000]);
    world.push("hello", 1);
    let ports = json!([{"containerPort": 8080, "hostPort": 8080}]);
    let service = world.service_with("hello", 3, false, ports);
    says(&mut world, "NoInstanceFits [2 PortTaken 8080/tcp]");
    assert_eq!(spread(&world, service), [1, 1]);
}

#[test]
fn a_task_that_holds_a_named_host_port_makes_way_as_far_as_the_minimum_allows() {
    let mut world = World::with_instances(&[1000]);
    world.push("hello", 1);
    let ports = json!([{"containerPort": 8080, "hostPort": 8080}]);
    let service = world.service_with("hello", 1, false, ports);
    world.bounds(service, 0, 200);
    world.grow(service);
    world.push("hello", 2);
    let plan = world.settle();
    assert!(plan.contains("stop task1") && !plan.contains("say"), "{plan}");
    world.reap();
    let plan = world.settle();
    assert!(plan.contains("create task2 of image2 on i1"), "{plan}");
}

#[test]
fn every_mapping_of_every_protocol_gets_a_host_port() {
    let mut world = World::with_instances(&[1000]);
    world.push("hello", 1);
    let ports = json!([
        {"containerPort": 8080}, {"containerPort": 53, "protocol": "udp"}, {"containerPort": 53},
        {"containerPort": 9000, "hostPort": 9000}
    ]);
    let service = world.service_with("hello", 2, false, ports);
    world.scale(service, 1);
    world.settle();
    let task = world.state.tasks_of(service).next().unwrap();
    let ports = &task.placement().unwrap().ports;
    assert_eq!(ports.len(), 4);
    assert_eq!(ports[3].host_port, 9000);
    let chosen: BTreeSet<_> = ports[..3].iter().map(|port| port.host_port).collect();
    assert_eq!(chosen.len(), 3);
    assert!(chosen.iter().all(|port| world.settings.port_range.contains(port)));
}

#[test]
fn addresses_and_ports_rotate() {
    let mut world = World::with_instances(&[1000]);
    world.push("hello", 1);
    let service = world.service("hello", 1);
    world.grow(service);
    let (mut addresses, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let id = world.wanted(service)[0];
        let place = world.state.task(id).unwrap().placement().cloned().unwrap();
        addresses.push(u32::from(place.address) & 0xff);
        ports.push(place.ports[0].host_port);
        world.fail(id);
        world.secs(61);
        world.settle();
    }
    assert_eq!(addresses, [2, 3, 4, 5, 6]);
    assert!(ports.windows(2).all(|two| two[1] == two[0] + 1), "{ports:?}");
}

#[test]
fn instances_of_one_host_share_its_ports() {
    let mut world = World::new();
    world.settings.port_range = 20_000..=20_003;
    for _ in 0..2 {
        let id = world.instance(1000);
        let mut instance = world.state.instance(id).unwrap().clone();
        instance.host.boot_id = "one".to_owned();
        instance.host.network_namespace = "4026531840".to_owned();
        world.apply(InstanceChange::Register(instance));
    }
    world.push("hello", 1);
    let service = world.service("hello", 5);
    says(&mut world, "NoInstanceFits [2 UsedUp]");
    let ports: BTreeSet<_> = world
        .state
        .tasks_of(service)
        .map(|task| task.placement().unwrap().ports[0].host_port)
        .collect();
    assert_eq!(ports.len(), 4);
}

#[expect(clippy::wildcard_enum_match_arm, reason = "one change is looked for")]
fn run_task(world: &mut World) -> NewTask {
    world.push("hello", 1);
    let service = world.service("hello", 0);
    world.settle();
    let state = world.state.service(service).unwrap();
    let deployment = world.state.deployment(state.deployment.unwrap()).unwrap().clone();
    world.scale(service, 1);
    let plan = world.plan();
    let created = plan.batches.into_iter().flatten().flatten().find_map(|change| match change {
        Change::Task(TaskChange::Create(task)) => Some(task),
        _ => None,
    });
    world.scale(service, 0);
    let task = created.expect("a task is created");
    assert_eq!(task.service, Some((service, deployment.id)));
    NewTask { service: None, placement: None, started_by: "user/admin".to_owned(), ..task }
}

#[test]
fn a_task_run_by_itself_is_placed_or_fails_with_the_reason() {
    let mut world = World::with_instances(&[150]);
    let task = run_task(&mut world);
    let mut second = task.clone();
    second.id = model::TaskId::new(world.now, [0xff; 10]);
    world.apply(TaskChange::Create(task));
    world.apply(TaskChange::Create(second));
    assert_eq!(
        world.settle(),
        "complete deployment1\n\
         place task1 on i1\n\
         stop task2 (NoInstanceFits)\n\
         forget task2"
    );
}
