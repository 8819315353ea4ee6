use model::Action;

use super::world::{add, group_id, rule};
use super::*;

#[tokio::test]
async fn host_and_path_lead_to_their_group_and_the_request_arrives_as_it_was_matched() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let (a, b) = (Origin::start("a", Act::Answer), Origin::start("b", Act::Answer));
    let groups = vec![
        group(1, vec![target(task(1), a.address)]),
        group(2, vec![target(task(2), b.address)]),
    ];
    let mut view = forward(&["a.test", "b.test"], groups);
    let to_b = Action::Forward { target_group: group_id(2) };
    add(&mut view, rule(9, "a.test", "/api", to_b));
    world.show_healthy(view, &[task(1), task(2)]).await;
    for (host, path, origin) in [
        ("a.test", "/", "a"),
        ("A.Test.:8080", "/x", "a"),
        ("a.test", "/api", "b"),
        ("a.test", "/api/x?y=1", "b"),
        ("a.test", "/apix", "a"),
        ("a.test", "/x/../api/./x", "b"),
        ("b.test", "/", "b"),
    ] {
        let answer = world.get(host, path).await;
        assert_eq!((answer.status, answer.origin()), (200, origin), "{host}{path}");
        assert_eq!(answer.header("x-request-id").map(str::len), Some(32));
    }
    for target in ["/x/../api//z?q=/../", "http://a.test/api/z?q=/../"] {
        let answer = world.get("a.test", target).await;
        assert_eq!(answer.body.lines().nth(2), Some("GET /api/z?q=/../ HTTP/1.1"), "{target}");
    }
    world.stop().await;
}

#[tokio::test]
async fn every_page_of_the_router_says_which_request_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let early = world.get("a.test", "/").await;
    assert_eq!(early.status, 503, "there is no table yet");
    assert!(!*world.ready.borrow());
    let mut none = group(1, Vec::new());
    none.group.expects_targets = false;
    let origin = Origin::start("a", Act::Cut);
    let groups = vec![none, group(2, vec![target(task(2), origin.address)])];
    let mut view = forward(&["none.test", "cut.test"], groups);
    let (status, content_type) = (418, "text/plain".to_owned());
    let fixed = Action::FixedResponse { status, content_type, body: "short and stout".to_owned() };
    add(&mut view, rule(9, "fixed.test", "/", fixed));
    world.show_healthy(view, &[task(2)]).await;
    assert!(*world.ready.borrow());
    for (host, path, status, retry) in [
        ("other.test", "/", 404, None),
        ("none.test", "/", 503, Some("5")),
        ("cut.test", "/", 502, None),
        ("cut.test", "/%2f", 400, None),
        ("fixed.test", "/", 418, None),
    ] {
        let answer = world.get(host, path).await;
        assert_eq!(answer.status, status, "{host}{path}");
        let id = answer.header("x-request-id").expect("an id").to_owned();
        assert_eq!(answer.header("retry-after"), retry);
        if status == 418 {
            assert_eq!(answer.body, "short and stout");
        } else {
            assert!(answer.body.contains(&id), "{}", answer.body);
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_page_is_html_for_browsers_and_a_clients_own_id_goes_all_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view, &[task(1)]).await;
    let request =
        "GET / HTTP/1.1\r\nHost: b.test\r\nAccept: text/html\r\nX-Request-Id: mine-1\r\n\r\n";
    let answer = send(world.address, request).await.unwrap();
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("x-request-id"), Some("mine-1"));
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: mine-2\r\n\r\n";
    let answer = send(world.address, request).await.unwrap();
    assert_eq!(answer.got("x-request-id"), ["mine-2"]);
    assert_eq!(answer.header("x-request-id"), Some("mine-2"));
    let request = "HEAD / HTTP/1.1\r\nHost: b.test\r\nConnection: close\r\n\r\n";
    let mut client = Client::new(world.address).await;
    client.write(request).await;
    let mut head = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut client.tcp, &mut head).await.unwrap();
    assert!(head.starts_with("HTTP/1.1 404") && head.ends_with("\r\n\r\n"), "{head}");
    world.stop().await;
}

#[tokio::test]
async fn what_a_client_says_of_itself_is_replaced_by_what_the_router_sees() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::Answer);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view, &[task(1)]).await;
    let request = "GET / HTTP/1.1\r\nHost: a.test:8080\r\nX-Forwarded-For: 1.2.3.4\r\n\
                   X-Forwarded-For: 5.6.7.8\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
                   X-Forwarded-Port: 1\r\nX-Real-Ip: 9.9.9.9\r\nForwarded: for=1.1.1.1\r\n\
                   X_Forwarded_For: 2.2.2.2\r\nKeep-Alive: timeout=9\r\nTE: gzip\r\n\
                   Connection: x-mine\r\nX-Mine: 1\r\nX-Other: 2\r\n\r\n";
    let answer = send(world.address, request).await.unwrap();
    let port = world.address.port().to_string();
    assert_eq!(answer.got("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(answer.got("x-real-ip"), ["127.0.0.1"]);
    assert_eq!(answer.got("x-forwarded-proto"), ["http"]);
    assert_eq!(answer.got("x-forwarded-host"), ["a.test:8080"]);
    assert_eq!(answer.got("x-forwarded-port"), [port]);
    assert_eq!(answer.got("host"), ["a.test:8080"]);
    for gone in ["forwarded", "x_forwarded_for", "keep-alive", "te", "x-mine"] {
        assert!(answer.got(gone).is_empty(), "{gone}: {}", answer.body);
    }
    assert_eq!(answer.got("x-other"), ["2"]);
    world.stop().await;
}

#[tokio::test]
async fn requests_go_round_the_targets_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origins = [
        Origin::start("a", Act::Answer),
        Origin::start("b", Act::Answer),
        Origin::start("c", Act::Answer),
    ];
    let tasks = [task(1), task(2), task(3)];
    let targets = tasks.iter().zip(&origins).map(|(id, origin)| target(*id, origin.address));
    let view = forward(&["a.test"], vec![group(1, targets.collect())]);
    world.show_healthy(view, &tasks).await;
    for _ in 0..30 {
        world.get("a.test", "/").await;
    }
    assert_eq!(origins.map(|origin| origin.served()), [10, 10, 10]);
    world.stop().await;
}
