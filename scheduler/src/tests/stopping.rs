//! Draining, and when an address is free again.

use model::{RouterId, ServiceId, TaskStatus};

use super::world::World;

/// One task of two was told to stop; routers have not heard of it yet.
fn leaving(routers: usize) -> (World, ServiceId, Vec<RouterId>) {
    let mut world = World::with_instances(&[1000]);
    let routers = (0..routers).map(|_| world.router()).collect();
    world.push("hello", 1);
    let service = world.web("hello", 2);
    if world.state.routers().count() > 0 {
        world.grow(service);
        world.scale(service, 1);
    } else {
        world.settle();
        world.run(service);
        world.scale(service, 1);
    }
    assert!(world.step().starts_with("stop task2"));
    (world, service, routers)
}

fn in_flight(world: &mut World, router: RouterId, count: u32) {
    for seen in world.observed.routers.get_mut(&router).unwrap().targets.values_mut() {
        seen.in_flight = count;
    }
}

fn disconnect(world: &mut World, router: RouterId) {
    world.observed.routers.get_mut(&router).unwrap().presence.connected = false;
}

#[test]
fn a_task_is_stopped_only_when_every_router_has_let_go_of_it() {
    let (mut world, _, routers) = leaving(2);
    assert_eq!(world.settle(), "", "no router has acknowledged");
    in_flight(&mut world, routers[1], 3);
    world.routers_apply();
    assert_eq!(world.settle(), "", "three requests are in flight");
    in_flight(&mut world, routers[1], 0);
    assert_eq!(world.settle(), "task2 is drained");
}

#[test]
fn a_request_that_does_not_end_is_waited_for_until_the_deregistration_delay_is_over() {
    let (mut world, _, routers) = leaving(1);
    world.routers_apply();
    in_flight(&mut world, routers[0], 1);
    let wake_at = world.plan().wake_at.unwrap();
    assert_eq!(wake_at.since(world.now).as_secs(), 30);
    world.secs(29);
    assert_eq!(world.settle(), "");
    world.secs(1);
    assert_eq!(world.settle(), "task2 is drained");
}

#[test]
fn a_router_that_is_away_is_waited_for_until_its_lease_and_the_delay_are_over() {
    let (mut world, _, routers) = leaving(2);
    world.routers_apply();
    disconnect(&mut world, routers[0]);
    assert_eq!(world.settle(), "");
    world.secs(16);
    assert_eq!(world.settle(), "", "its lease is over, the delay is not");
    world.secs(14);
    assert_eq!(world.settle(), "task2 is drained");
}

#[test]
fn after_a_server_start_a_router_gets_its_full_lease_to_come_back() {
    let (mut world, _, _) = leaving(1);
    world.secs(3600);
    let now = world.now;
    for router in world.observed.routers.values_mut() {
        router.presence.connected = false;
    }
    world.observed.since = now;
    assert_eq!(world.settle(), "");
    world.now = now.plus(std::time::Duration::from_secs(15));
    assert_eq!(world.settle(), "task2 is drained");
}

#[test]
fn a_router_that_never_knew_the_target_is_not_waited_for_once_it_has_the_table_that_removed_it() {
    let (mut world, _, routers) = leaving(2);
    world.routers_apply();
    let task = world.state.tasks().last().unwrap().id;
    let late = world.observed.routers.get_mut(&routers[1]).unwrap();
    late.targets.retain(|(_, id), _| *id != task);
    late.applied = None;
    assert_eq!(world.settle(), "", "it may serve from an old table");
    let since = world.state.task(task).unwrap().deactivated_at().unwrap();
    // What changes after that is not waited for, however busy the state is.
    world.push("other", 1);
    world.push("other", 2);
    assert!(since < world.state.revision());
    world.observed.routers.get_mut(&routers[1]).unwrap().applied = Some(since);
    assert_eq!(world.settle(), "task2 is drained");
}

#[test]
fn without_routers_or_a_target_group_a_task_is_stopped_at_once() {
    let (mut world, _, _) = leaving(0);
    assert_eq!(world.settle(), "task2 is drained");
    let mut world = World::with_instances(&[1000]);
    world.router();
    world.push("hello", 1);
    let service = world.service("hello", 1);
    world.grow(service);
    world.scale(service, 0);
    assert_eq!(world.settle(), "stop task1 (ScaledIn)\ntask1 is drained");
}

#[test]
fn a_task_is_forgotten_only_when_its_agent_and_every_registered_router_are_done_with_it() {
    let (mut world, service, routers) = leaving(2);
    world.routers_apply();
    disconnect(&mut world, routers[1]);
    world.secs(30);
    assert_eq!(world.settle(), "task2 is drained");
    let task = world.state.tasks().last().unwrap().id;
    let applied = world.observed.routers[&routers[1]].applied;
    world.report(task, TaskStatus::Stopped, None);
    assert_eq!(world.settle(), "", "its containers are still there");
    world.reap();
    assert_eq!(world.settle(), "", "a router that is away may have an old table");
    let address = world.state.task(task).unwrap().placement().cloned().unwrap().address;
    world.scale(service, 3);
    world.settle();
    let others = world.state.tasks().filter(|other| other.id != task);
    assert!(others.filter_map(|o| o.placement()).all(|place| place.address != address));
    let revision = world.state.revision();
    assert!(applied < Some(revision));
    let now = world.now;
    world.observed.hear_router(routers[1], true, now).applied = Some(revision);
    assert!(world.settle().starts_with("forget task2"));
}
