use super::*;

/// What two servers could read in two ways.
const SHAPES: [(&str, u16); 27] = [
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: \r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nhost: a.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: user@a.test\r\n\r\n", 400),
    ("GET http://b.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    ("GET a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4, 4\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: +4\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0x4\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: xchunked\r\n\r\n", 400),
    (
        "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nX: 1\r\n folded\r\n\r\n", 400),
    ("GET / HTTP/1.1\nHost: a.test\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a.test\r\nX: a\rb\r\n\r\n", 400),
    ("GET /#x HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    ("GET /  HTTP/1.1\r\nHost: a.test\r\n\r\n", 400),
    ("CONNECT a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n", 405),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
];

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_refused_and_ends_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let groups = vec![group(1, vec![target(task(1), origin.address)])];
    world.show_healthy(forward(&["*.test"], groups), &[task(1)]).await;
    for (shape, status) in SHAPES {
        let mut client = Client::new(world.address).await;
        client.write(shape).await;
        let answer = client.read().await.unwrap_or_else(|| panic!("no answer to {shape:?}"));
        assert_eq!(answer.status, status, "{shape:?}: {}", answer.body);
        assert_eq!(answer.header("connection"), Some("close"), "{shape:?}");
        let id = answer.header("x-request-id").expect("an id");
        assert!(answer.body.contains(id), "{shape:?}");
        assert!(client.is_closed().await, "{shape:?}");
    }
    assert_eq!(origin.served(), 0);
    world.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::start(dir.path()).await;
    let start = "GET / HTTP/1.1\r\nHost: a.test\r\n";
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", "a".repeat(17_000));
    let endless = "a".repeat(20_000);
    let wide = format!("{start}X: {}\r\n\r\n", "a".repeat(17_000));
    let many = format!("{start}{}\r\n", "X: 1\r\n".repeat(300));
    let large = format!("{start}{}\r\n", format!("X: {}\r\n", "a".repeat(8_000)).repeat(9));
    for (request, status) in [(long, 414), (endless, 414), (wide, 431), (many, 431), (large, 431)] {
        let answer = send(world.address, request).await.unwrap();
        assert_eq!(answer.status, status);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_client_that_reads_only_after_its_whole_body_gets_the_early_answer() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    world.show(forward(&["a.test"], vec![group(1, Vec::new())])).await;
    let body = vec![b'x'; 8 << 20];
    let sized = format!("Content-Length: {}\r\n\r\n", body.len());
    let chunked = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len());
    let post = "POST / HTTP/1.1\r\nHost: nobody.test\r\n";
    let heads = [
        (format!("{post}{sized}"), 404),
        (format!("{post}Connection: close\r\n{sized}"), 404),
        (format!("{post}Connection: close\r\n{chunked}"), 404),
        (format!("POST / HTTP/1.1\r\n{sized}"), 400),
    ];
    for (head, status) in heads {
        for _ in 0..5 {
            let mut client = Client::new(world.address).await;
            client.write(&head).await;
            client.write(&body).await;
            let answer = client.read().await.unwrap_or_else(|| panic!("no answer to {head:?}"));
            assert_eq!(answer.status, status, "{head:?}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn requests_that_come_all_at_once_are_answered_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let groups = vec![group(1, vec![target(task(1), origin.address)])];
    world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let post = "POST /two HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody";
    let mut client = Client::new(world.address).await;
    client.write(format!("{}{post}\r\n{}{}", get("/one"), get("/three"), get("/four"))).await;
    for line in ["GET /one", "POST /two", "GET /three", "GET /four"] {
        let answer = client.read().await.unwrap();
        assert_eq!(answer.status, 200);
        assert!(answer.body.lines().nth(2).unwrap().starts_with(line), "{line}: {}", answer.body);
    }
    world.stop().await;
}

#[tokio::test]
async fn bodies_arrive_whole_whatever_their_framing() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let groups = vec![group(1, vec![target(task(1), origin.address)])];
    world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
    let numbers: Vec<_> = (0..100_000).map(|number: u32| format!("{number:09}")).collect();
    let big = numbers.join(" ");
    let answer = world.post("a.test", "/", &big).await;
    assert!(answer.body.ends_with(&format!("\r\n\r\n{big}")));
    let mut client = Client::new(world.address).await;
    client
        .write("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
        .await;
    client.write("6\r\n parts\r\n0\r\n\r\n").await;
    let answer = client.read().await.unwrap();
    assert!(answer.body.contains("body") && answer.body.contains(" parts"), "{}", answer.body);
    assert_eq!(client.get("a.test", "/next").await.unwrap().status, 200, "it is kept open");
    world.stop().await;
}

#[tokio::test]
async fn old_clients_and_careful_ones_are_understood() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Chunks);
    let groups = vec![group(1, vec![target(task(1), origin.address)])];
    world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
    let mut old = Client::new(world.address).await;
    old.write("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n").await;
    let mut text = String::new();
    within("the end", tokio::io::AsyncReadExt::read_to_string(&mut old.tcp, &mut text))
        .await
        .unwrap();
    assert!(text.starts_with("HTTP/1.") && text.ends_with("\r\n\r\nin chunks"), "{text}");
    origin.act(Act::Continue);
    let mut careful = Client::new(world.address).await;
    let head =
        "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    careful.write(head).await;
    assert_eq!(careful.read().await.unwrap().status, 100);
    careful.write("body").await;
    let answer = careful.read().await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "body"));
    world.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_while_it_waits_ends_its_request_at_the_target() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let origin = Origin::start("a", Act::Wait(gate));
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view.clone(), &[task(1)]).await;
    let mut client = Client::new(world.address).await;
    client.write("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    origin.is_asked().await;
    world.show(draining(view, task(1))).await;
    drop(client);
    world.until("it to end", |report| report.targets[0].seen.in_flight == 0).await;
    world.stop().await;
}
