use super::*;

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

async fn tunnel(world: &World) -> Client {
    let mut client = Client::new(world.address).await;
    client.write(UPGRADE).await;
    let answer = client.read().await.unwrap();
    assert_eq!(answer.status, 101, "{}", answer.head);
    assert!(answer.header("x-request-id").is_some());
    client
}

async fn says(client: &mut Client, text: &str) {
    client.write(text).await;
    assert_eq!(client.exactly(text.len()).await, text.as_bytes());
}

#[tokio::test]
async fn a_tunnel_echoes_and_its_target_has_drained_only_after_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Echo);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view.clone(), &[task(1)]).await;
    let mut client = tunnel(&world).await;
    says(&mut client, "hello").await;
    world.show(draining(view, task(1))).await;
    let seen = world.seen(task(1)).unwrap().seen;
    assert_eq!((seen.draining, seen.in_flight), (true, 1));
    says(&mut client, "still here").await;
    drop(client);
    world.until("the tunnel to end", |report| report.targets[0].seen.in_flight == 0).await;
    world.stop().await;
}

#[tokio::test]
async fn bytes_that_follow_the_handshake_at_once_go_into_the_tunnel() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Echo);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view, &[task(1)]).await;
    let mut client = Client::new(world.address).await;
    client.write(UPGRADE).await;
    assert_eq!(client.read().await.unwrap().status, 101);
    for number in 0..50 {
        says(&mut client, &format!("message {number} ").repeat(100)).await;
    }
    world.stop().await;
}

#[tokio::test]
async fn the_end_of_a_router_lets_requests_end_and_cuts_tunnels() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let slow = Origin::start("slow", Act::Wait(std::sync::Arc::clone(&gate)));
    let echo = Origin::start("echo", Act::Echo);
    let groups = vec![
        group(1, vec![target(task(1), echo.address)]),
        group(2, vec![target(task(2), slow.address)]),
    ];
    world.show_healthy(forward(&["a.test", "b.test"], groups), &[task(1), task(2)]).await;
    let mut open = tunnel(&world).await;
    says(&mut open, "hello").await;
    let mut client = Client::new(world.address).await;
    client.write("GET / HTTP/1.1\r\nHost: b.test\r\n\r\n").await;
    slow.is_asked().await;
    let mut idle = Client::new(world.address).await;
    assert_eq!(idle.get("c.test", "/").await.unwrap().status, 404);
    idle.write("GET / HTTP/1.1\r\n").await;
    world.begin_end();
    idle.write("Host: c.test\r\n\r\n").await;
    let last = idle.read().await.expect("one that was under way is served");
    assert_eq!((last.status, last.header("connection")), (404, Some("close")));
    gate.add_permits(1);
    let answer = client.read().await.expect("what is in flight ends");
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    assert!(client.is_closed().await && open.is_closed().await);
    let address = world.address;
    world.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
