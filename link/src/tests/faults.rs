//! What goes wrong: servers that restart, connections that break, stall, or come twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use model::{Change, InstanceChange, Listener, ListenerId, RoutingChange, TaskStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::Message;

use super::world::{World, hello, instance_of, stamp, until};
use crate::client::Session;
use crate::message::{AGENT_FRAME_BYTES, Agent, AgentReport, Down, Router, SeenTask, Up, VERSION};
use crate::refusal::RefusalCode;

/// A wire between peers and the server that can be cut, or stall as when a host loses power.
struct Wire {
    address: SocketAddr,
    stalled: watch::Sender<bool>,
    /// How many bytes may still go down; then every connection is cut.
    budget: Arc<AtomicUsize>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Wire {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stalled = watch::Sender::new(false);
        let budget = Arc::new(AtomicUsize::new(usize::MAX));
        let (stall, left) = (stalled.clone(), Arc::clone(&budget));
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(server).await else { continue };
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                let unlimited = Arc::new(AtomicUsize::new(usize::MAX));
                let up = pump(near_read, far_write, stall.subscribe(), unlimited);
                let down = pump(far_read, near_write, stall.subscribe(), Arc::clone(&left));
                tokio::spawn(async {
                    tokio::select! { () = up => {} () = down => {} }
                });
            }
        });
        Self { address, stalled, budget, _task: tokio_util::task::AbortOnDropHandle::new(task) }
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut stalled: watch::Receiver<bool>,
    budget: Arc<AtomicUsize>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if stalled.wait_for(|stalled| !stalled).await.is_err() {
            return;
        }
        let spent = budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            if left == usize::MAX { Some(left) } else { left.checked_sub(read) }
        });
        if spent.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

/// Listeners with names so long that many of them need several parts.
fn listeners(count: i64) -> Vec<Change> {
    let listener = |n: i64| {
        RoutingChange::CreateListener(Listener {
            id: ListenerId::new(model::Timestamp::from_millis(n), [1; 10]),
            name: format!("listener-{n}-{}", "x".repeat(1200)),
            created_at: model::Timestamp::EPOCH,
        })
        .into()
    };
    (0..count).map(listener).collect()
}

#[tokio::test]
async fn peers_redial_a_server_that_restarts_and_report_everything_again() {
    let mut world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let instance = world.settled(&session.id).await;
    let task = world.place(instance, 1);
    until("the task", &session.view, |view| {
        view.as_ref().filter(|view| !view.view.tasks.is_empty()).map(drop)
    })
    .await;
    world.stop().await;
    until("cut off", &session.connected, |is| (!is).then_some(())).await;
    assert!(session.view.borrow().is_some(), "the last view stays");
    let seen = SeenTask {
        task,
        status: TaskStatus::Running,
        stopped: None,
        containers: Vec::new(),
        reaped: false,
        peak_memory_mib: None,
    };
    session.report.send(AgentReport { tasks: vec![seen], ..AgentReport::default() }).unwrap();
    world.run(2).await;
    world
        .until_state("what was seen meanwhile", |state| {
            (state.task(task)?.last_status() == TaskStatus::Running).then_some(())
        })
        .await;
    until("a view of the new epoch", &session.view, |view| {
        (stamp(view.as_ref())?.0 == 2).then_some(())
    })
    .await;
    assert!(world.observed.borrow().connected(instance));
}

#[tokio::test]
async fn views_of_an_older_epoch_are_dropped() {
    let mut world = World::start().await;
    world.stop().await;
    world.run(5).await;
    let session: Session<Router> = world.joined("r").await;
    until("a view", &session.view, |view| view.as_ref().map(drop)).await;
    world.stop().await;
    until("cut off", &session.connected, |is| (!is).then_some(())).await;
    world.store.apply(&listeners(1)).unwrap();
    world.run(4).await;
    let id = session.id.parse().unwrap();
    until("connected to the older one", &world.observed, |observed| {
        observed.routers.get(&id).filter(|seen| seen.presence.connected).map(drop)
    })
    .await;
    until("connected", &session.connected, |is| is.then_some(())).await;
    world.stop().await;
    until("cut off", &session.connected, |is| (!is).then_some(())).await;
    let view = session.view.borrow().clone().unwrap();
    assert_eq!((view.epoch.0, view.view.listeners.len()), (5, 0));
    world.run(6).await;
    until("a newer one", &session.view, |view| (stamp(view.as_ref())?.0 == 6).then_some(())).await;
}

#[tokio::test]
async fn a_second_connection_of_a_peer_replaces_the_first() {
    let world = World::start().await;
    let first: Session<Agent> = world.joined("a").await;
    until("connected", &first.connected, |is| is.then_some(())).await;
    let second: Session<Agent> = world.peer("a", None).await.unwrap();
    until("connected", &second.connected, |is| is.then_some(())).await;
    until("replaced", &first.connected, |is| (!is).then_some(())).await;
    let id = first.id.parse().unwrap();
    assert!(world.observed.borrow().connected(id), "the peer is there all the time");
}

#[tokio::test]
async fn a_connection_that_stalls_is_cut_at_both_ends_and_made_anew() {
    let world = World::start().await;
    let wire = Wire::to(world.address).await;
    let token = world.token(model::PeerRole::Agent, 1).to_string();
    let session: Session<Agent> = world.peer_at("a", Some(&token), wire.address).await.unwrap();
    let id = world.settled(&session.id).await;
    until("connected", &session.connected, |is| is.then_some(())).await;
    wire.stalled.send_replace(true);
    until("the agent notices", &session.connected, |is| (!is).then_some(())).await;
    until("the server notices", &world.observed, |observed| {
        (!observed.connected(id)).then_some(())
    })
    .await;
    let lost_at = world.observed.borrow().instances[&id].heard_at;
    world.advance(Duration::from_secs(30));
    wire.stalled.send_replace(false);
    until("connected again", &session.connected, |is| is.then_some(())).await;
    until("heard again", &world.observed, |observed| {
        (observed.connected(id) && observed.instances[&id].heard_at > lost_at).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_cut_in_the_middle_of_a_view_shows_none_of_it_and_the_next_connection_all() {
    let world = World::start().await;
    let wire = Wire::to(world.address).await;
    let token = world.token(model::PeerRole::Router, 1).to_string();
    let session: Session<Router> = world.peer_at("r", Some(&token), wire.address).await.unwrap();
    until("an empty view", &session.view, |view| view.as_ref().map(drop)).await;
    wire.budget.store(1_500_000, Ordering::SeqCst);
    world.store.apply(&listeners(3_000)).unwrap();
    until("cut", &session.connected, |is| (!is).then_some(())).await;
    let view = session.view.borrow().clone().unwrap();
    assert_eq!(view.view.listeners.len(), 0, "half a view is no view");
    wire.budget.store(usize::MAX, Ordering::SeqCst);
    let view = until("all of it", &session.view, |view| {
        view.clone().filter(|view| !view.view.listeners.is_empty())
    })
    .await;
    assert!(view.view == world.store.state().router_view());
}

/// The frames that the server sends before it ends a stream on which these frames were sent.
async fn answers(world: &World, session: &str, frames: &[Message]) -> Vec<Down> {
    let mut socket = world.raw(instance_of(session)).await;
    for frame in frames {
        socket.send(frame.clone()).await.unwrap();
    }
    let mut answers = Vec::new();
    while let Some(Ok(frame)) = socket.next().await {
        if let Message::Text(text) = frame {
            answers.push(serde_json::from_str(&text).unwrap());
        }
    }
    answers
}

#[tokio::test]
async fn a_peer_that_sends_nonsense_is_refused_with_a_code_and_disturbs_no_other() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let other: Session<Agent> = world.joined("b").await;
    until("connected", &other.connected, |is| is.then_some(())).await;
    let greeting = |protocol: u32| {
        let hello = hello("a", model::PeerRole::Agent);
        let frame = Up::<AgentReport>::Hello { protocol, newest: None, hello: Box::new(hello) };
        Message::text(serde_json::to_string(&frame).unwrap())
    };
    let cases = [
        (vec![greeting(VERSION + 1)], RefusalCode::ProtocolTooNew),
        (vec![Message::text("\"beat\"")], RefusalCode::GreetingMissing),
        (vec![Message::text("{\"report\":")], RefusalCode::FrameInvalid),
        (vec![Message::text("[".repeat(100_000))], RefusalCode::FrameInvalid),
        (
            vec![greeting(VERSION), Message::text("{\"drop\":\"everything\"}")],
            RefusalCode::FrameInvalid,
        ),
    ];
    for (frames, expected) in cases {
        let answers = answers(&world, &session.id, &frames).await;
        let Some(Down::Refused(refused)) = answers.last() else {
            panic!("no reason, but {expected:?} expected: {answers:?}")
        };
        assert_eq!(refused.code, expected, "{refused:?}");
    }
    assert!(*other.connected.borrow());
    let mut plain = TcpStream::connect(world.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "without TLS there is no answer");
}

#[tokio::test]
async fn a_frame_beyond_its_limit_is_not_read_and_ends_its_stream_alone() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let other: Session<Agent> = world.joined("b").await;
    until("connected", &other.connected, |is| is.then_some(())).await;
    let mut socket = world.raw(instance_of(&session.id)).await;
    // RFC 6455 section 5.2: a final, masked text frame that says its length in eight bytes. Nothing of it follows: the stream ends
    // by what it says.
    let length = u64::try_from(AGENT_FRAME_BYTES + 1).unwrap();
    let head = [&[0x81, 0x80 | 127][..], &length.to_be_bytes(), &[0; 4]].concat();
    socket.get_mut().write_all(&head).await.unwrap();
    let Some(Ok(Message::Text(answer))) = socket.next().await else { panic!("no reason") };
    let Ok(Down::Refused(refused)) = serde_json::from_str(&answer) else { panic!("{answer}") };
    assert_eq!(refused.code, RefusalCode::FrameInvalid, "{refused:?}");
    assert!(*other.connected.borrow());
}

#[tokio::test]
async fn an_agent_advertises_what_its_connection_comes_from_or_people_have_allowed() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let id = session.id.parse().unwrap();
    until("connected", &session.connected, |is| is.then_some(())).await;
    let elsewhere = std::net::IpAddr::from([192, 0, 2, 7]);
    let mut lie = hello("a", model::PeerRole::Agent);
    lie.host.as_mut().unwrap().advertised_address = elsewhere;
    let greeting = || {
        let hello = Box::new(lie.clone());
        let frame = Up::<AgentReport>::Hello { protocol: 1, newest: None, hello };
        Message::text(serde_json::to_string(&frame).unwrap())
    };
    let refused = answers(&world, &session.id, &[greeting()]).await;
    let [Down::Refused(refused)] = refused.as_slice() else { panic!("{refused:?}") };
    assert_eq!(refused.code, RefusalCode::AddressNotAllowed);
    let known = || world.store.state().instance(id).unwrap().advertised_address;
    assert!(known().is_loopback(), "{}", known());

    let allow = |address| Change::from(InstanceChange::AllowAddress { instance: id, address });
    world.store.apply(&[allow(elsewhere)]).unwrap();
    let agent: Session<Agent> = world.peer_saying("a", lie.clone()).await;
    world.until_state("its address", |_| (known() == elsewhere).then_some(())).await;
    until("connected", &agent.connected, |is| is.then_some(())).await;

    world.store.apply(&[allow([192, 0, 2, 8].into())]).unwrap();
    let refused = answers(&world, &session.id, &[greeting()]).await;
    assert!(matches!(refused.as_slice(), [Down::Refused(_)]), "not allowed any more: {refused:?}");
}
