use std::sync::Arc;

use tokio::sync::Semaphore;

use super::*;

#[tokio::test]
async fn the_next_router_serves_while_the_one_before_ends_what_is_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut before = World::after(dir.path(), listener.try_clone().unwrap());
    before.generation.alone.cancel();
    let gate = Arc::new(Semaphore::new(0));
    let origin = Origin::start("a", Act::Wait(Arc::clone(&gate)));
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    before.show_healthy(view.clone(), &[task(1)]).await;
    let mut idle = Client::new(before.address).await;
    let address = before.address;
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
    let slow = tokio::spawn(async move { send(address, request).await });
    origin.is_asked().await;

    before.generation.relieved.cancel();
    within("link and table to be let go", before.generation.let_go.cancelled()).await;
    let mut next = World::after(dir.path(), listener);
    origin.act(Act::Answer);
    assert_eq!(next.get("a.test", "/").await.origin(), "a", "from the table on disk");
    let last = idle.get("a.test", "/").await.expect("a kept connection takes one more request");
    assert_eq!((last.status, last.header("connection")), (200, Some("close")));

    // The one before is not heard of any more, so what it has in flight counts here.
    next.send(draining(view, task(1)));
    let drains =
        |report: &link::message::RouterReport| report.targets.iter().any(|seen| seen.seen.draining);
    next.until("the target to drain", drains).await;
    assert_eq!(next.seen(task(1)).unwrap().seen.in_flight, 1);
    gate.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().origin(), "a");
    before.ended().await;
    next.generation.alone.cancel();
    next.until("the target to have drained", |report| {
        report.targets.iter().all(|seen| seen.seen.draining && seen.seen.in_flight == 0)
    })
    .await;
    next.stop().await;
}
