//! What travels on a stream, when nothing goes wrong.

use std::time::Duration;

use bytes::Bytes;
use model::observed::{TargetHealth, TargetSeen};
use model::{
    Change, InstanceChange, Listener, ListenerId, RoutingChange, StateRevision, Stopped,
    TargetGroupId, TaskChange, TaskId, TaskStatus,
};

use super::world::{World, hello, stamp, until};
use crate::client::Session;
use crate::message::{
    Agent, AgentReport, Peer, Router, RouterReport, SeenTarget, SeenTask, Stream,
};
use crate::server::StreamError;

/// One with so long a name that many of them need several parts.
fn listener(world: &World, n: usize) -> Change {
    let millis = i64::try_from(n).unwrap();
    RoutingChange::CreateListener(Listener {
        id: ListenerId::new(model::Timestamp::from_millis(millis), [1; 10]),
        name: format!("listener-{n}-{}", "x".repeat(1200)),
        created_at: model::Clock::now(&*world.clock),
    })
    .into()
}

fn seen(task: TaskId, status: TaskStatus) -> SeenTask {
    SeenTask {
        task,
        status,
        stopped: None,
        containers: Vec::new(),
        reaped: false,
        peak_memory_mib: None,
    }
}

fn report(tasks: Vec<SeenTask>) -> AgentReport {
    AgentReport { tasks, ..AgentReport::default() }
}

fn is_report(change: &Change) -> bool {
    matches!(change, Change::Task(TaskChange::Report(_)))
}

#[tokio::test]
async fn a_router_sees_every_change_of_its_view_and_which_state_it_shows() {
    let world = World::start().await;
    let session: Session<Router> = world.joined("r").await;
    until("an empty view", &session.view, |view| view.as_ref().map(drop)).await;
    world.store.apply(&[listener(&world, 1)]).unwrap();
    let revision = world.store.state().revision();
    let view = until("a group", &session.view, |view| {
        view.clone().filter(|view| !view.view.listeners.is_empty())
    })
    .await;
    assert_eq!((view.epoch.0, view.revision), (1, revision));

    world.token(Router::ROLE, 1);
    let later = world.store.state().revision();
    assert!(later > revision);
    until("the stamp of a state in which the view is the same", &session.view, |view| {
        (stamp(view.as_ref()) == Some((1, later))).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_view_of_many_mebibytes_arrives_whole() {
    let world = World::start().await;
    let listeners: Vec<Change> = (0..3_000).map(|n| listener(&world, n)).collect();
    world.store.apply(&listeners).unwrap();
    let expected = world.store.state().router_view();
    assert!(model::view::to_text(&expected, |_| true).unwrap().len() > 3 * 1024 * 1024);
    let session: Session<Router> = world.joined("r").await;
    let view = until("the view", &session.view, Clone::clone).await;
    assert!(view.view == expected);
}

#[tokio::test]
async fn an_agents_report_is_recorded_once_however_often_it_is_sent() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    let task = world.place(instance, 1);
    let status = |state: &model::State| state.task(task).map(model::Task::last_status);
    for wanted in [TaskStatus::Activating, TaskStatus::Running] {
        session.report.send(report(vec![seen(task, wanted)])).unwrap();
        world.until_state("recorded", |state| (status(state)? == wanted).then_some(())).await;
    }
    assert_eq!(world.store.count(is_report), 2);
    session.report.send(report(vec![seen(task, TaskStatus::Running)])).unwrap();
    let again: Session<Agent> = world.peer("a", None).await.unwrap();
    again.report.send(report(vec![seen(task, TaskStatus::Running)])).unwrap();

    let reason = "exited with code 1; ".repeat(1000);
    let code = model::StopCode::EssentialContainerExited;
    let mut end = seen(task, TaskStatus::Stopped);
    end.stopped = Some(Stopped { code, reason, cause: None });
    again.report.send(report(vec![end.clone()])).unwrap();
    world
        .until_state("stopped", |state| (status(state)? == TaskStatus::Stopped).then_some(()))
        .await;
    assert_eq!(world.store.count(is_report), 3, "what is known is not recorded again");
    let stopped = world.store.state().task(task).unwrap().stopped().cloned().unwrap();
    assert_eq!(stopped.reason.len(), 1024, "a sentence has an end");

    end.reaped = true;
    again.report.send(report(vec![end])).unwrap();
    world.until_state("reaped", |state| state.task(task)?.reaped().then_some(())).await;
}

#[tokio::test]
async fn an_agent_reports_nothing_about_another_instances_task() {
    let world = World::start().await;
    let (own, other): (Session<Agent>, Session<Agent>) =
        (world.joined("a").await, world.joined("b").await);
    let own_id = world.settled(&own.id).await;
    let other_id = world.settled(&other.id).await;
    let (mine, foreign) = (world.place(own_id, 1), world.place(other_id, 1));
    let mut lie = seen(foreign, TaskStatus::Stopped);
    lie.reaped = true;
    let invented = TaskId::new(model::Timestamp::EPOCH, [7; 10]);
    let truth = seen(mine, TaskStatus::Running);
    let provisioning = seen(mine, TaskStatus::Provisioning);
    let tasks = vec![lie, seen(invented, TaskStatus::Running), provisioning, truth];
    own.report
        .send(AgentReport { tasks, unknown: vec![invented], ..AgentReport::default() })
        .unwrap();
    world
        .until_state("the truth", |state| {
            (state.task(mine)?.last_status() == TaskStatus::Running).then_some(())
        })
        .await;
    let state = world.store.state();
    let foreign = state.task(foreign).unwrap();
    assert_eq!((foreign.last_status(), foreign.reaped()), (TaskStatus::Pending, false));
    assert!(state.task(invented).is_none());
}

#[tokio::test]
async fn what_could_not_be_written_is_retried_without_being_reported_again() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    let task = world.place(instance, 1);
    world.store.is_down.store(true, std::sync::atomic::Ordering::SeqCst);
    session.report.send(report(vec![seen(task, TaskStatus::Running)])).unwrap();
    let beats = until("a beat", &world.observed, |observed| {
        observed.instances.get(&instance).map(|seen| seen.heard_at)
    })
    .await;
    world.advance(Duration::from_mins(1));
    until("beats go on while the store does not", &world.observed, |observed| {
        (observed.instances[&instance].heard_at > beats).then_some(())
    })
    .await;
    world.store.is_down.store(false, std::sync::atomic::Ordering::SeqCst);
    world
        .until_state("recorded", |state| {
            (state.task(task)?.last_status() == TaskStatus::Running).then_some(())
        })
        .await;
}

#[tokio::test]
async fn a_host_whose_subnet_is_taken_gets_another_while_it_has_no_task() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    let subnet = world.store.state().instance(instance).unwrap().subnet.unwrap();
    let mut greeting = hello("a", Agent::ROLE);
    greeting.host.as_mut().unwrap().used_subnets.push(subnet);
    greeting.host.as_mut().unwrap().capacity = model::Resources::new(64, 64);
    let _again = world.peer_saying::<Agent>("a", greeting).await;
    let other = world
        .until_state("another subnet", |state| {
            state.instance(instance)?.subnet.filter(|other| *other != subnet)
        })
        .await;
    assert!(!other.overlaps(subnet));
    let capacity = world.store.state().instance(instance).unwrap().capacity.clone();
    assert_eq!(capacity, model::Resources::new(64, 64), "what the host reports is recorded");
}

#[tokio::test]
async fn no_new_host_gets_addresses_that_routers_may_still_know_of_a_removed_one() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let removed = world.settled(&session.id).await;
    let task = world.place(removed, 1);
    let address = world.store.state().task(task).unwrap().placement().unwrap().address;
    world
        .store
        .apply(&[TaskChange::Lose(task).into(), InstanceChange::Remove(removed).into()])
        .unwrap();
    let session: Session<Agent> = world.joined("b").await;
    let new = world.settled(&session.id).await;
    let subnet = world.store.state().instance(new).unwrap().subnet.unwrap();
    assert!(!subnet.contains(address), "{address} waits until all routers have forgotten it");
}

#[tokio::test]
async fn what_a_router_sees_is_observed_and_a_table_of_another_epoch_is_none() {
    let world = World::start().await;
    let session: Session<Router> = world.joined("r").await;
    let id = session.id.parse().unwrap();
    let target = SeenTarget {
        target_group: TargetGroupId::new(model::Timestamp::EPOCH, [1; 10]),
        task: TaskId::new(model::Timestamp::EPOCH, [1; 10]),
        seen: TargetSeen {
            failure: None,
            health: TargetHealth::Unhealthy,
            reason: Some("connection refused".to_owned()),
            draining: false,
            in_flight: 0,
        },
    };
    let tell = |epoch, revision| {
        let applied = Some((model::Epoch(epoch), StateRevision(revision)));
        session.report.send(RouterReport { applied, targets: vec![target.clone()] }).unwrap();
    };
    tell(9, 5);
    let seen = until("a target", &world.observed, |observed| {
        observed.routers.get(&id).filter(|seen| !seen.targets.is_empty()).cloned()
    })
    .await;
    assert_eq!(seen.targets.values().next(), Some(&target.seen));
    assert_eq!((seen.applied, seen.presence.connected), (None, true));
    tell(1, 5);
    until("the table", &world.observed, |observed| {
        (observed.routers[&id].applied == Some(StateRevision(5))).then_some(())
    })
    .await;
    assert!(world.store.count(is_report) == 0, "observations are not written down");
}

#[tokio::test]
async fn bytes_come_on_a_connection_of_their_own_and_end_with_either_side() {
    let world = World::start().await;
    let mut session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    let task = TaskId::new(model::Timestamp::EPOCH, [1; 10]);
    let logs = Stream::Logs { task, container: None, follow: true, tail: Some(5) };

    let open = world.streams.open(instance, logs.clone());
    let answer = async {
        let request = session.streams.recv().await.unwrap();
        assert_eq!(request.stream, logs);
        let (lines, body) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let url = format!("{}/streams/{}", session.http.base, request.id);
        let body =
            futures_util::stream::unfold(body, async |mut body| Some((body.recv().await?, body)));
        let body = reqwest::Body::wrap_stream(body);
        let posting = tokio::spawn(session.http.client.post(url).body(body).send());
        (lines, posting)
    };
    let (opened, (lines, posting)) = tokio::join!(open, answer);
    let mut bytes = opened.unwrap();
    for line in ["web one\n", "web two\n"] {
        lines.send(Ok(Bytes::from(line))).await.unwrap();
        assert_eq!(bytes.recv().await.unwrap(), line);
    }
    drop(bytes);
    tokio::time::timeout(Duration::from_secs(10), lines.closed())
        .await
        .expect("the agent learns that nothing reads any more");
    drop(posting.await.unwrap());

    let url = format!("{}/streams/unasked", session.http.base);
    let answer = session.http.client.post(url).body("x").send().await.unwrap();
    assert_eq!(answer.status(), 404);
    let unknown = model::InstanceId::new(model::Timestamp::EPOCH, [1; 10]);
    let error = world.streams.open(unknown, logs).await.unwrap_err();
    assert_eq!(error, StreamError::NotConnected(unknown));
}
