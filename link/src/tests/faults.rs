//! What goes wrong: servers that restart, connections that break, stall, or come twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use model::{Change, HealthCheck, TargetGroup, TargetGroupId, TaskStatus};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::world::{World, stamp, until};
use crate::client::Session;
use crate::message::{Agent, AgentReport, Router, SeenTask};

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

fn groups(count: i64) -> Vec<Change> {
    let group = |n: i64| {
        Change::PutTargetGroup(TargetGroup {
            id: TargetGroupId::new(model::Timestamp::from_millis(n), [1; 10]),
            cluster: "default".parse().unwrap(),
            name: format!("group-{n}").parse().unwrap(),
            health_check: HealthCheck {
                path: format!("/{}", "x".repeat(1200)),
                ..HealthCheck::default()
            },
            deregistration_delay_seconds: 30,
            created_at: model::Timestamp::EPOCH,
        })
    };
    (0..count).map(group).collect()
}

#[tokio::test]
async fn peers_come_back_to_a_server_that_restarts_and_say_everything_again() {
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
    };
    session.report.send(AgentReport { tasks: vec![seen], unknown: Vec::new() }).unwrap();
    world.run(2).await;
    world
        .until_state("what was seen meanwhile", |state| {
            (state.task(task)?.last_status == TaskStatus::Running).then_some(())
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
    world.store.apply(&groups(1)).unwrap();
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
    assert_eq!((view.epoch.0, view.view.target_groups.len()), (5, 0));
    world.run(6).await;
    until("a newer one", &session.view, |view| (stamp(view.as_ref())?.0 == 6).then_some(())).await;
}

#[tokio::test]
async fn who_comes_back_on_a_second_connection_replaces_the_first() {
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
    world.store.apply(&groups(3_000)).unwrap();
    until("cut", &session.connected, |is| (!is).then_some(())).await;
    let view = session.view.borrow().clone().unwrap();
    assert_eq!(view.view.target_groups.len(), 0, "half a view is no view");
    wire.budget.store(usize::MAX, Ordering::SeqCst);
    let view = until("all of it", &session.view, |view| {
        view.clone().filter(|view| !view.view.target_groups.is_empty())
    })
    .await;
    assert!(view.view == world.store.state().router_view());
}
