//! Frames as the version before wrote them, recorded from its code: peers and servers of both versions work together.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use model::observed::TargetHealth;
use model::{StateRevision, StopCode, TaskId, TaskStatus, Timestamp, Wanted};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::world::{World, instance_of, stamp, until};
use crate::PeerId;
use crate::client::Session;
use crate::message::{Agent, Peer, Router, Stamped};

const AGENT: &str = include_str!("version_1/agent_up.jsonl");
const ROUTER: &str = include_str!("version_1/router_up.jsonl");
const TO_AGENT: &str = include_str!("version_1/server_to_agent.jsonl");
const TO_ROUTER: &str = include_str!("version_1/server_to_router.jsonl");
const DEADLINE: Duration = Duration::from_secs(20);

/// The tasks of the recordings.
fn task(n: u8) -> TaskId {
    TaskId::new(Timestamp::from_millis(1_795_421_734_000), [n; 10])
}

/// The recorded document of a view.
fn recorded_document(frames: &str) -> Value {
    let part: Value = serde_json::from_str(frames.lines().nth(1).unwrap()).unwrap();
    serde_json::from_str(part["part"]["text"].as_str().unwrap()).unwrap()
}

/// The keys of an object, of the objects in it, and of the first object of each list in it.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> =
                fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect();
            serde_json::to_value(fields).unwrap()
        }
        Value::Array(items) => items.first().map_or(Value::Null, shape),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Value::Null,
    }
}

/// Sends the frames of a peer of the version before; returns the welcome and the first part of the view.
async fn send_recorded(world: &World, peer: PeerId, frames: &str) -> (Value, Value) {
    let mut socket = world.raw(peer).await;
    for frame in frames.lines() {
        socket.send(Message::text(frame)).await.unwrap();
    }
    let mut next = async || -> Value {
        loop {
            if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    };
    let welcome = next().await;
    let view = tokio::time::timeout(DEADLINE, async {
        loop {
            let frame = next().await;
            if frame.get("beat").is_none() {
                return frame;
            }
        }
    });
    (welcome, view.await.unwrap())
}

#[tokio::test]
async fn an_agent_of_the_version_before_is_welcomed_sees_its_tasks_and_its_report_is_recorded() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    world.place_as(task(1), instance, 1);
    world.place_as(task(2), instance, 2);
    let (welcome, part) = send_recorded(&world, instance_of(&session.id), AGENT).await;
    assert_eq!(welcome["welcome"]["protocol"], 1);
    assert_eq!(
        shape(&welcome),
        shape(&serde_json::from_str(TO_AGENT.lines().next().unwrap()).unwrap())
    );

    let document: Value = serde_json::from_str(part["part"]["text"].as_str().unwrap()).unwrap();
    let recorded = recorded_document(TO_AGENT);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), keys(&recorded));
    assert_eq!(keys(&document["tasks"][0]), keys(&recorded["tasks"][0]));
    let container = |document: &Value| keys(&document["tasks"][0]["containers"][0]);
    assert_eq!(container(&document), container(&recorded));
    let tasks: Vec<_> =
        document["tasks"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!(tasks, [&task(1).to_string(), &task(2).to_string()]);
    assert_eq!(document["tasks"][0]["wanted"], "run");

    let status = |state: &model::State, n| Some(state.task(task(n))?.last_status());
    world
        .until_state("what it reported", |state| {
            let seen = (status(state, 1)?, status(state, 2)?);
            (seen == (TaskStatus::Running, TaskStatus::Stopped)).then_some(())
        })
        .await;
    let stopped = world.store.state().task(task(2)).unwrap().stopped().cloned().unwrap();
    assert_eq!(stopped.code, StopCode::EssentialContainerExited);
}

#[tokio::test]
async fn a_router_of_the_version_before_is_welcomed_sees_its_table_and_its_report_is_observed() {
    let world = World::start().await;
    let session: Session<Router> = world.joined("r").await;
    let id = session.id.parse().unwrap();
    let (welcome, part) = send_recorded(&world, PeerId::Router(id), ROUTER).await;
    assert_eq!(welcome["welcome"]["protocol"], 1);
    let document: Value = serde_json::from_str(part["part"]["text"].as_str().unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&document), keys(&recorded_document(TO_ROUTER)));
    let health = until("its targets", &world.observed, |observed| {
        let targets = &observed.routers.get(&id)?.targets;
        (targets.len() == 3).then(|| targets.values().map(|seen| seen.health).collect::<Vec<_>>())
    })
    .await;
    let expected = [TargetHealth::Healthy, TargetHealth::Unhealthy, TargetHealth::Initial];
    assert_eq!(health, expected);
}

/// A joined peer that dials a server of the version before, which sends the recorded frames; and the peer's greeting.
async fn dial_old<P: Peer>(world: &World, frames: &str) -> (Session<P>, Value) {
    drop(world.joined::<P>("p").await);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let session = world.peer_at("p", None, address).await.unwrap();
    let mut socket = world.raw_server(listener).await;
    let greeting = loop {
        if let Message::Text(text) = socket.next().await.unwrap().unwrap() {
            break serde_json::from_str(&text).unwrap();
        }
    };
    for frame in frames.lines() {
        socket.send(Message::text(frame)).await.unwrap();
    }
    // Closing with unread bytes would reset the connection, and the peer could lose frames.
    tokio::spawn(async move { while let Some(Ok(_)) = socket.next().await {} });
    (session, greeting)
}

#[tokio::test]
async fn an_agent_understands_a_server_of_the_version_before() {
    let world = World::start().await;
    let (mut session, greeting) = dial_old::<Agent>(&world, TO_AGENT).await;
    let recorded: Value = serde_json::from_str(AGENT.lines().next().unwrap()).unwrap();
    assert_eq!(greeting["hello"]["protocol"], 1, "a protocol that such a server accepts");
    assert_eq!(shape(&greeting["hello"]["hello"]), shape(&recorded["hello"]["hello"]));

    let view: Stamped<_> = until("the view", &session.view, |view| {
        view.clone().filter(|view| view.revision == StateRevision(42))
    })
    .await;
    let wanted: Vec<_> = view.view.tasks.values().map(|one| (one.id, one.wanted)).collect();
    let expected = [(task(1), Wanted::Run), (task(2), Wanted::Stop), (task(3), Wanted::Reap)];
    assert_eq!(wanted, expected);
    let instance = view.view.instance().unwrap();
    assert_eq!(instance.subnet, Some("10.64.1.0/24".parse().unwrap()));
    let request = tokio::time::timeout(DEADLINE, session.streams.recv()).await.unwrap().unwrap();
    assert_eq!(request.id, "ab12");
    until("the end of the stream", &session.connected, |is| (!is).then_some(())).await;
}

#[tokio::test]
async fn a_router_understands_a_server_of_the_version_before() {
    let world = World::start().await;
    let (session, _) = dial_old::<Router>(&world, TO_ROUTER).await;
    let view = until("the view", &session.view, |view| {
        (stamp(view.as_ref())? == (7, StateRevision(42))).then(|| view.clone())?
    })
    .await
    .view;
    assert_eq!((view.listeners.len(), view.rules.len()), (1, 2));
    let groups: Vec<_> =
        view.groups().map(|(group, targets)| (group.name.to_string(), targets.len())).collect();
    assert_eq!(groups, [("shop".to_owned(), 2), ("idle".to_owned(), 0)]);
}
