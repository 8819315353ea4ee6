use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use model::RouterView;
use tokio::sync::Semaphore;

use super::*;

#[tokio::test]
async fn a_draining_target_has_drained_only_after_its_last_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let gate = Arc::new(Semaphore::new(0));
    let old = Origin::start("old", Act::Wait(Arc::clone(&gate)));
    let new = Origin::start("new", Act::Answer);
    let only = vec![target(task(1), old.address)];
    world.show_healthy(forward(&["a.test"], vec![group(1, only.clone())]), &[task(1)]).await;
    let address = world.address;
    let request = "GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let slow = tokio::spawn(async move { send(address, request).await });
    old.is_asked().await;
    let both = vec![target(task(1), old.address), target(task(2), new.address)];
    let view = draining(forward(&["a.test"], vec![group(1, both)]), task(1));
    world.show_healthy(view, &[task(2)]).await;
    let seen = world.seen(task(1)).unwrap().seen;
    assert_eq!((seen.draining, seen.in_flight), (true, 1));
    for _ in 0..4 {
        assert_eq!(world.get("a.test", "/").await.origin(), "new");
    }
    assert_eq!(world.seen(task(1)).unwrap().seen.in_flight, 1, "it has not drained yet");
    gate.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().origin(), "old");
    world
        .until("the target to have drained", |report| {
            let seen = report.targets.iter().find(|seen| seen.task == task(1)).unwrap();
            seen.seen.draining && seen.seen.in_flight == 0
        })
        .await;
    assert_eq!(old.served(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_target_that_is_gone_from_the_table_is_reported_until_nothing_is_in_flight_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let gate = Arc::new(Semaphore::new(0));
    let origin = Origin::start("a", Act::Wait(Arc::clone(&gate)));
    let targets = vec![target(task(1), origin.address)];
    world.show_healthy(forward(&["a.test"], vec![group(1, targets)]), &[task(1)]).await;
    let address = world.address;
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let slow = tokio::spawn(async move { send(address, request).await });
    origin.is_asked().await;
    world.show(RouterView::default()).await;
    let seen = world.seen(task(1)).expect("it is still reported").seen;
    assert_eq!((seen.draining, seen.in_flight), (true, 1));
    assert_eq!(world.get("a.test", "/").await.status, 404);
    gate.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    world.until("it to be no longer reported", |report| report.targets.is_empty()).await;
    world.stop().await;
}

#[tokio::test]
async fn a_pooled_connection_never_meets_another_target_at_the_same_address() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let one =
        |number| forward(&["a.test"], vec![group(1, vec![target(task(number), origin.address)])]);
    world.show_healthy(one(1), &[task(1)]).await;
    let first = world.get("a.test", "/").await;
    let second = world.get("a.test", "/").await;
    assert_eq!(first.connection(), second.connection(), "the pool is used");
    world.show_healthy(one(2), &[task(2)]).await;
    let other = world.get("a.test", "/").await;
    assert_ne!(other.connection(), first.connection(), "the same address is not the same target");
    world.show_healthy(one(1), &[task(1)]).await;
    let back = world.get("a.test", "/").await;
    assert_ne!(back.connection(), first.connection(), "nor is one that was gone in between");
    world.stop().await;
}

#[tokio::test]
async fn an_unhealthy_target_gets_no_requests_and_the_report_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let sick = Origin::start("sick", Act::Answer);
    let well = Origin::start("well", Act::Answer);
    sick.healthy(false);
    let targets = vec![target(task(1), sick.address), target(task(2), well.address)];
    let view = forward(&["a.test"], vec![group(1, targets)]);
    world.show_healthy(view, &[task(2)]).await;
    world
        .until("a reason", |report| {
            report.targets[0].seen.reason.as_deref()
                == Some("GET /health: answered 500, expected 200-399")
        })
        .await;
    for _ in 0..4 {
        assert_eq!(world.get("a.test", "/").await.origin(), "well");
    }
    assert_eq!(sick.served(), 0);
    sick.healthy(true);
    world.until("it to be well", |report| report.targets[0].seen.reason.is_none()).await;
    world.stop().await;
}

#[tokio::test]
async fn a_target_is_reached_by_its_published_address_where_its_own_does_not_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let here = Origin::start("published", Act::Answer);
    let mut by_port = target(task(1), closed);
    by_port.published = Some(here.address);
    let mut elsewhere = target(task(2), closed);
    elsewhere.published = Some(here.address);
    elsewhere.host.boot_id = "another host".to_owned();
    let groups = vec![group(1, vec![by_port]), group(2, vec![elsewhere])];
    world.show_healthy(forward(&["a.test", "b.test"], groups), &[task(1), task(2)]).await;
    assert_eq!(world.get("a.test", "/").await.origin(), "published");
    assert_eq!(world.get("b.test", "/").await.origin(), "published");
    world.stop().await;
}

#[tokio::test]
async fn a_router_that_starts_again_serves_from_its_disk_without_a_server() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start("a", Act::Answer);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    let mut world = World::start(dir.path()).await;
    world.show_healthy(view, &[task(1)]).await;
    let applied = world.report().applied;
    world.stop().await;
    let mut world = World::start(dir.path()).await;
    assert_eq!(world.get("a.test", "/").await.origin(), "a", "its first request");
    assert!(*world.ready.borrow());
    world.until("the old stamp", |report| report.applied == applied && applied.is_some()).await;
    world.stop().await;
    let copy = dir.path().join("table.json");
    disk::write(&copy, b"{\"format\":1,\"table\":", 0o600).unwrap();
    let mut world = World::start(dir.path()).await;
    assert_eq!(world.get("a.test", "/").await.status, 503, "a damaged table is none");
    assert!(!*world.ready.borrow());
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view, &[task(1)]).await;
    assert_eq!(world.get("a.test", "/").await.status, 200);
    world.stop().await;
}

#[tokio::test]
async fn a_router_that_starts_again_loses_no_request_to_a_target_that_died_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let (dead, alive) = (Origin::start("dead", Act::Answer), Origin::start("alive", Act::Answer));
    let targets = vec![target(task(1), dead.address), target(task(2), alive.address)];
    let mut world = World::start(dir.path()).await;
    let view = forward(&["a.test"], vec![group(1, targets)]);
    world.show_healthy(view, &[task(1), task(2)]).await;
    world.stop().await;
    dead.stop().await;
    let world = World::start(dir.path()).await;
    for _ in 0..8 {
        let answer = world.post("a.test", "/", "order").await;
        assert_eq!((answer.status, answer.origin()), (200, "alive"));
    }
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_or_drained_before_it_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view.clone(), &[task(1)]).await;
    let copy = dir.path().join("table.json");
    std::fs::remove_file(&copy).unwrap();
    std::fs::create_dir(&copy).unwrap();
    let before = world.report().applied;
    let stamp = world.send(draining(view, task(1)));
    within("the target to drain", async {
        while world.get("b.test", "/").await.status != 404 || origin.served() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.report().applied, before);
    assert!(!world.seen(task(1)).unwrap().seen.draining);
    std::fs::remove_dir(&copy).unwrap();
    world.until("the next try", |report| report.applied == Some(stamp)).await;
    assert!(world.seen(task(1)).unwrap().seen.draining);
    world.stop().await;
}

#[tokio::test]
async fn a_view_that_stays_is_applied_at_its_new_stamp_without_being_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let view = forward(&["a.test"], vec![group(1, Vec::new())]);
    world.show(view.clone()).await;
    let copy = dir.path().join("table.json");
    std::fs::remove_file(&copy).unwrap();
    world.show(view).await;
    assert!(!copy.exists());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_changes_under_load_fail_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origins = [Origin::start("a", Act::Answer), Origin::start("b", Act::Answer)];
    let at = |number: u64| target(task(number), origins[usize::from(number % 2 == 1)].address);
    let first = forward(&["a.test"], vec![group(1, vec![at(0)])]);
    world.show_healthy(first, &[task(0)]).await;
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (over, done, address) = (Arc::clone(&over), Arc::clone(&done), world.address);
            tokio::spawn(async move {
                let mut client = Client::new(address).await;
                while !over.load(Ordering::SeqCst) {
                    client
                        .write("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nhi")
                        .await;
                    let answer = client.read().await.expect("an answer");
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    done.fetch_add(1, Ordering::SeqCst);
                    if answer.header("connection") == Some("close") {
                        client = Client::new(address).await;
                    }
                }
            })
        })
        .collect();
    for number in 1..=100 {
        // The old target drains at once, so requests wait for the new one's first check.
        let both = forward(&["a.test"], vec![group(1, vec![at(number - 1), at(number)])]);
        world.show(draining(both, task(number - 1))).await;
        world
            .until("the old one to have drained", |report| {
                let seen = report.targets.iter().find(|seen| seen.task == task(number - 1));
                seen.is_none_or(|seen| seen.seen.draining && seen.seen.in_flight == 0)
            })
            .await;
        let hosts = ["a.test", "b.test"];
        let groups = vec![group(1, vec![at(number)]), group(1_000 + number, Vec::new())];
        world.show(forward(&hosts, groups)).await;
    }
    over.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    let (sent, served) = (done.load(Ordering::SeqCst), origins.map(|origin| origin.served()));
    assert_eq!(served[0] + served[1], sent, "each was executed once");
    assert!(sent >= 100, "{sent}");
    world.stop().await;
}
