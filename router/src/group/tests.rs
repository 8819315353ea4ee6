use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use model::observed::CheckFailure;
use model::{HealthCheck, Timestamp};

use super::*;
use crate::health_state::Failed;
use crate::target::Endpoint;

fn task(number: i64) -> TaskId {
    TaskId::new(Timestamp::from_millis(number), [0; 10])
}

fn view(expects_targets: bool) -> TargetGroupView {
    TargetGroupView {
        id: TargetGroupId::new(Timestamp::EPOCH, [0; 10]),
        name: "web".parse().unwrap(),
        health_check: HealthCheck::default(),
        expects_targets,
    }
}

fn target(number: i64) -> TargetView {
    TargetView {
        task: task(number),
        direct: SocketAddr::from(([10, 0, 0, 1], 80)),
        published: None,
        host: HostIdentity::default(),
        draining: false,
        health_check: None,
    }
}

/// A group of these targets, in this state.
fn group_in(health_state: &HealthState, expects_targets: bool, tasks: &[i64]) -> Arc<Group> {
    let view = view(expects_targets);
    let group = Group::new(&view, Arc::default());
    let targets: Vec<_> = tasks.iter().map(|number| target(*number)).collect();
    let targets: Vec<_> = targets.iter().collect();
    group.update(&view, &targets, &HostIdentity::default(), health_state);
    Arc::new(group)
}

fn group(expects_targets: bool, tasks: &[i64]) -> Arc<Group> {
    group_in(&HealthState::new(), expects_targets, tasks)
}

fn pass(group: &Group, number: i64) {
    let targets = group.targets();
    let target = targets.iter().find(|target| target.task() == task(number)).unwrap();
    let endpoint: Endpoint = target.addresses().endpoints().next().unwrap();
    if target.checked(Ok(endpoint)) {
        group.refresh();
    }
}

fn picked(group: &Group, tried: &[TaskId]) -> Option<TaskId> {
    group.pick(tried).map(|target| target.target().task())
}

#[test]
fn only_targets_that_pass_their_checks_are_picked_each_in_its_turn() {
    let group = group(true, &[1, 2, 3]);
    assert_eq!(picked(&group, &[]), None);
    pass(&group, 1);
    pass(&group, 3);
    let picks: Vec<_> = (0..6).map(|_| picked(&group, &[]).unwrap()).collect();
    let in_turn = |first: i64, second: i64| [task(first), task(second)].repeat(3);
    assert!(picks == in_turn(1, 3) || picks == in_turn(3, 1), "{picks:?}");
}

#[test]
fn a_retry_gets_another_target_while_there_is_one() {
    let group = group(true, &[1, 2]);
    pass(&group, 1);
    pass(&group, 2);
    for _ in 0..4 {
        assert_eq!(picked(&group, &[task(1)]), Some(task(2)));
    }
    assert!(picked(&group, &[task(1), task(2)]).is_some(), "better the same than none");
    let targets = group.targets();
    group.eject(&targets[1]);
    assert_eq!(picked(&group, &[task(1)]), Some(task(1)));
}

#[test]
fn assumed_targets_serve_only_while_none_is_healthy() {
    let group = group_in(&HealthState::assumed(), true, &[1, 2]);
    assert!(picked(&group, &[]).is_some());
    pass(&group, 2);
    assert_eq!([picked(&group, &[]), picked(&group, &[])], [Some(task(2)), Some(task(2))]);
}

#[test]
fn a_target_that_drained_comes_back_only_as_a_new_one() {
    let group = group(true, &[1]);
    pass(&group, 1);
    let before = Arc::clone(&group.targets()[0]);
    let draining = TargetView { draining: true, ..target(1) };
    let here = HostIdentity::default();
    group.update(&view(true), &[&draining], &here, &HealthState::new());
    assert!(before.enter().is_none() && picked(&group, &[]).is_none());
    let (fresh, left) = group.update(&view(true), &[&target(1)], &here, &HealthState::new());
    assert!(fresh.len() == 1 && Arc::ptr_eq(&left[0], &before));
    assert_eq!(picked(&group, &[]), None, "it has to pass a check of its own");
}

#[tokio::test]
async fn requests_are_held_only_where_a_target_is_expected() {
    let never = group(false, &[1]);
    assert!(never.expects(), "the target that is there has not been checked often enough");
    for _ in 0..3 {
        let failure = CheckFailure::Refused;
        let reason = "refused".to_owned();
        never.targets()[0].checked(Err(Failed { reason, failure }));
    }
    assert_eq!(never.wait(&[]).await.unwrap_err(), NoTarget::NoneExpected);
    let group = group(true, &[1]);
    let waiting = waiting(&group, 1).await;
    pass(&group, 1);
    assert_eq!(waiting[0].await_task().await, Ok(task(1)));
    assert_eq!(group.held.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_thousand_requests_are_held_and_the_next_one_is_refused() {
    let group = group(true, &[1]);
    let waiting = waiting(&group, MAX_HELD).await;
    assert_eq!(group.wait(&[]).await.unwrap_err(), NoTarget::Crowded);
    group.remove();
    for one in &waiting {
        assert_eq!(
            one.await_task().await,
            Err(NoTarget::NoneExpected),
            "none is expected any more"
        );
    }
}

/// A held request, in a task of its own.
struct Waiting(tokio::sync::Mutex<Option<tokio::task::JoinHandle<Result<TaskId, NoTarget>>>>);

impl Waiting {
    async fn await_task(&self) -> Result<TaskId, NoTarget> {
        let handle = self.0.lock().await.take().unwrap();
        tokio::time::timeout(Duration::from_secs(20), handle).await.unwrap().unwrap()
    }
}

async fn waiting(group: &Arc<Group>, count: usize) -> Vec<Waiting> {
    let spawn = |_| {
        let group = Arc::clone(group);
        let wait = async move { group.wait(&[]).await.map(|target| target.target().task()) };
        Waiting(tokio::sync::Mutex::new(Some(tokio::spawn(wait))))
    };
    let waiting = (0..count).map(spawn).collect();
    while group.held.load(Ordering::SeqCst) < count {
        tokio::task::yield_now().await;
    }
    waiting
}

#[test]
fn no_request_begins_after_a_target_was_seen_empty_and_draining() {
    for _ in 0..50 {
        let group = group(true, &[1]);
        pass(&group, 1);
        let target = Arc::clone(&group.targets()[0]);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Some(entered) = target.enter() {
                        assert!(!over.load(Ordering::SeqCst), "it had drained before");
                        drop(entered);
                    }
                });
            }
            target.drain();
            target.persisted();
            while target.seen().seen.in_flight > 0 {
                std::thread::yield_now();
            }
            over.store(true, Ordering::SeqCst);
        });
    }
}
