//! Desired counts, scaling, unhealthy tasks, draining and lost instances.

use model::observed::TargetHealth;
use model::{InstanceChange, InstanceStatus, ServiceChange, ServiceId};

use super::world::World;

fn grown(instances: &[u64], desired: u32) -> (World, ServiceId) {
    let mut world = World::with_instances(instances);
    world.router();
    world.push("hello", 1);
    let service = world.web("hello", desired);
    world.grow(service);
    (world, service)
}

#[test]
fn a_settled_state_plans_nothing() {
    let (mut world, _) = grown(&[1000, 1000], 3);
    assert_eq!(world.settle(), "");
    world.secs(3600);
    assert_eq!(world.settle(), "");
}

#[test]
fn scaling_in_stops_what_serves_least_then_the_newest() {
    let (mut world, service) = grown(&[1000], 3);
    world.scale(service, 4);
    assert_eq!(world.settle(), "create task4 of image1 on i1");
    world.scale(service, 2);
    assert_eq!(
        world.settle(),
        "stop task4 (ScaledIn)\n\
         stop task3 (ScaledIn)"
    );
    world.reap();
    world.settle();
    world.reap();
    world.settle();
    assert_eq!(world.state.tasks_of(service).count(), 2);
}

#[test]
fn a_task_that_dies_is_replaced_at_once() {
    let (mut world, service) = grown(&[1000], 2);
    let first = world.wanted(service)[0];
    world.fail(first);
    let plan = world.settle();
    assert!(plan.contains("create task3 of image1 on i1"), "{plan}");
}

#[test]
fn unhealthy_tasks_are_replaced_one_at_a_time_the_replacement_first() {
    let (mut world, service) = grown(&[1000], 3);
    let tasks = world.wanted(service);
    for task in &tasks {
        world.see(*task, TargetHealth::Unhealthy, Some("GET / timed out"));
    }
    assert_eq!(world.settle(), "create task4 of image1 on i1");
    world.run(service);
    assert_eq!(world.settle(), "");
    let new = world.wanted(service)[3];
    world.see(new, TargetHealth::Healthy, None);
    assert_eq!(
        world.settle(),
        "task4 is healthy\n\
         fail task3 (TurnedUnhealthy)\n\
         create task5 of image1 on i1"
    );
}

#[test]
fn an_unhealthy_task_that_recovers_is_kept() {
    let (mut world, service) = grown(&[1000], 1);
    let task = world.wanted(service)[0];
    world.see(task, TargetHealth::Unhealthy, Some("GET / timed out"));
    assert_eq!(world.settle(), "create task2 of image1 on i1");
    world.see(task, TargetHealth::Healthy, None);
    assert_eq!(world.settle(), "stop task2 (ScaledIn)");
}

#[test]
fn without_room_for_a_replacement_the_unhealthy_task_goes_first() {
    let (mut world, service) = grown(&[200], 2);
    let task = world.wanted(service)[0];
    world.see(task, TargetHealth::Unhealthy, Some("GET / timed out"));
    let plan = world.settle();
    assert_eq!(plan, "fail task1 (TurnedUnhealthy)");
}

#[test]
fn a_router_that_starts_anew_makes_no_task_unhealthy() {
    let (mut world, service) = grown(&[1000], 2);
    world.router();
    assert_eq!(world.settle(), "");
    world.routers_apply();
    assert_eq!(world.settle(), "", "INITIAL there, and healthy before");
    assert_eq!(world.wanted(service).len(), 2);
}

#[test]
fn tasks_of_a_draining_instance_are_replaced_before_they_go() {
    let (mut world, service) = grown(&[1000, 1000], 2);
    let instance = world.nth_instance(1);
    world.apply(InstanceChange::SetStatus { instance, status: InstanceStatus::Draining });
    assert_eq!(world.settle(), "create task3 of image1 on i2");
    world.run(service);
    world.heal(service);
    assert_eq!(world.settle(), "task3 is healthy\nstop task1 (InstanceDraining)");
}

#[test]
fn a_lost_instance_gives_up_its_tasks_and_they_are_replaced_elsewhere() {
    let (mut world, service) = grown(&[1000, 1000], 2);
    let instance = world.nth_instance(1);
    world.disconnect(instance);
    world.secs(59);
    assert_eq!(world.settle(), "");
    let task = world.state.tasks_on(instance).next().unwrap().id;
    world.see(task, TargetHealth::Unhealthy, Some("connection refused"));
    assert_eq!(world.settle(), "", "an instance that is away is not judged by its health");
    world.secs(1);
    assert_eq!(
        world.settle(),
        "stop task1 (InstanceLost)\n\
         create task3 of image1 on i2"
    );
    assert_eq!(world.state.reserved_on(instance).memory(), 100, "until its agent reports");
    assert_eq!(world.wanted(service).len(), 2);
}

#[test]
fn a_lost_instance_keeps_the_tasks_that_routers_find_healthy_until_they_are_replaced() {
    let (mut world, service) = grown(&[1000, 1000], 2);
    world.disconnect(world.nth_instance(1));
    world.secs(60);
    assert_eq!(world.settle(), "create task3 of image1 on i2");
    world.run(service);
    world.heal(service);
    assert_eq!(
        world.settle(),
        "task3 is healthy\n\
         stop task1 (InstanceLost)"
    );
}

#[test]
fn a_router_that_starts_anew_does_not_end_the_tasks_of_a_lost_instance_that_another_finds_healthy()
{
    let (mut world, service) = grown(&[1000, 1000], 2);
    world.disconnect(world.nth_instance(1));
    world.secs(50);
    world.router();
    world.routers_apply();
    world.secs(10);
    assert_eq!(world.settle(), "create task3 of image1 on i2");
    let lost = world.state.tasks_on(world.nth_instance(1)).next().unwrap().id;
    world.see(lost, TargetHealth::Initial, Some("connection refused"));
    assert_eq!(world.settle(), "stop task1 (InstanceLost)");
    assert_eq!(world.wanted(service).len(), 2);
}

#[test]
fn when_most_instances_vanish_at_once_the_scheduler_holds_still_for_a_while() {
    let mut world = World::with_instances(&[1000, 1000, 1000, 1000]);
    world.push("hello", 1);
    let service = world.service("hello", 4);
    world.grow(service);
    for n in 1..=3 {
        world.disconnect(world.nth_instance(n));
    }
    world.secs(100);
    assert_eq!(world.settle(), "");
    world.secs(300);
    let plan = world.settle();
    assert_eq!(plan.matches("InstanceLost").count(), 3, "{plan}");
    assert_eq!(plan.matches("on i4").count(), 3, "{plan}");
}

#[test]
fn after_a_server_start_every_lease_is_full() {
    let (mut world, _) = grown(&[1000, 1000], 2);
    world.secs(7200);
    world.observed = model::Observed::new(world.now);
    assert_eq!(world.settle(), "");
    world.secs(14);
    assert_eq!(world.settle(), "");
}

#[test]
fn a_service_that_is_removed_stops_its_tasks_and_goes_with_the_last() {
    let (mut world, service) = grown(&[1000], 2);
    world.apply(ServiceChange::Drain(service));
    assert_eq!(
        world.settle(),
        "stop task1 (ServiceRemoved)\n\
         stop task2 (ServiceRemoved)"
    );
    world.routers_apply();
    assert_eq!(world.settle(), "task1 is drained\ntask2 is drained");
    world.reap();
    assert_eq!(world.settle(), "forget task1\nforget task2\nremove the service");
}
