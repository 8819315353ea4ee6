use super::*;

/// A router with two origins in one group, both healthy.
async fn two(dir: &std::path::Path, a: Act, b: Act) -> (World, Origin, Origin) {
    let mut world = World::start(dir).await;
    let (a, b) = (Origin::start("a", a), Origin::start("b", b));
    let targets = vec![target(task(1), a.address), target(task(2), b.address)];
    let view = forward(&["a.test"], vec![group(1, targets)]);
    world.show_healthy(view, &[task(1), task(2)]).await;
    (world, a, b)
}

#[tokio::test]
async fn a_request_that_was_never_sent_goes_to_another_target_whatever_its_method() {
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Answer, Act::Answer).await;
    a.stop().await;
    for number in 0..10 {
        let answer = world.post("a.test", "/", &format!("order {number}")).await;
        assert_eq!((answer.status, answer.origin()), (200, "b"));
        assert!(answer.body.ends_with(&format!("order {number}")), "{}", answer.body);
    }
    assert_eq!(b.served(), 10, "each once");
    world.stop().await;
}

#[tokio::test]
async fn a_target_whose_address_is_silent_is_left_out_and_loses_no_request() {
    let dir = tempfile::tempdir().unwrap();
    let (world, mut a, b) = two(dir.path(), Act::Answer, Act::Answer).await;
    let _waiting = a.freeze().await;
    for _ in 0..10 {
        let answer = world.post("a.test", "/", "order").await;
        assert_eq!((answer.status, answer.origin()), (200, "b"));
    }
    assert_eq!(b.served(), 10, "each once");
    world.stop().await;
}

#[tokio::test]
async fn a_target_that_was_left_out_is_back_with_its_next_passed_check() {
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Answer, Act::Answer).await;
    let address = a.address;
    a.stop().await;
    for _ in 0..4 {
        assert_eq!(world.get("a.test", "/").await.origin(), "b");
    }
    let again = Origin::on(address, "a again", Act::Answer);
    within("the target to be back", async {
        while world.get("a.test", "/").await.origin() != "a again" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(again.served() > 0 && b.served() > 0);
    world.stop().await;
}

#[tokio::test]
async fn a_get_that_is_cut_before_its_answer_is_sent_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Cut, Act::Answer).await;
    for _ in 0..6 {
        let answer = world.get("a.test", "/").await;
        assert_eq!((answer.status, answer.origin()), (200, "b"));
    }
    assert_eq!((a.served(), b.served()), (3, 6), "half of them went to the other one first");
    world.stop().await;
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Cut, Act::Cut).await;
    assert_eq!(world.get("a.test", "/").await.status, 502);
    assert_eq!((a.served(), b.served()), (1, 1), "once, and not once more");
    world.stop().await;
}

#[tokio::test]
async fn a_post_that_was_sent_is_never_executed_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Cut, Act::Cut).await;
    for sent in 1..=8 {
        let answer = world.post("a.test", "/", "order").await;
        assert_eq!(answer.status, 502);
        assert!(answer.body.contains("It may have acted on the request."), "{}", answer.body);
        assert_eq!(a.served() + b.served(), sent);
    }
    world.stop().await;
}

#[tokio::test]
async fn a_pooled_connection_that_dies_under_a_request_costs_a_put_nothing_and_a_post_a_502() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    let origin = Origin::start("a", Act::CutSecond);
    let view = forward(&["a.test"], vec![group(1, vec![target(task(1), origin.address)])]);
    world.show_healthy(view, &[task(1)]).await;
    let body =
        "PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: close\r\n\r\nput";
    assert_eq!(world.get("a.test", "/").await.status, 200, "leaves a connection in the pool");
    let put = send(world.address, body).await.unwrap();
    assert_eq!(put.status, 200);
    assert!(put.body.ends_with("\r\n\r\nput"), "the body was sent again: {}", put.body);
    let before = origin.served();
    assert_eq!(world.post("a.test", "/", "order").await.status, 502);
    assert_eq!(origin.served(), before + 1, "it was executed once at most");
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_has_begun_is_never_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    let (world, a, b) = two(dir.path(), Act::Half, Act::Half).await;
    let mut client = Client::new(world.address).await;
    assert!(client.get("a.test", "/").await.is_none(), "it ends before it is whole");
    assert_eq!(a.served() + b.served(), 1);
    a.act(Act::Garbage);
    b.act(Act::Garbage);
    assert_eq!(world.get("a.test", "/").await.status, 502);
    assert_eq!(a.served() + b.served(), 2, "what is no answer is no cut");
    world.stop().await;
}

#[tokio::test]
async fn requests_wait_for_the_first_target_and_for_a_crashed_one_to_be_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut world = World::start(dir.path()).await;
    world.show(forward(&["a.test"], vec![group(1, Vec::new())])).await;
    let address = world.address;
    let early: Vec<_> = (0..20).map(|_| tokio::spawn(post(address))).collect();
    let origin = Origin::start("a", Act::Answer);
    let targets = vec![target(task(1), origin.address)];
    world.show(forward(&["a.test"], vec![group(1, targets)])).await;
    for answer in early {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(origin.served(), 20);
    let at = origin.address;
    origin.stop().await;
    let during: Vec<_> = (0..20).map(|_| tokio::spawn(post(address))).collect();
    let again = Origin::on(at, "a", Act::Answer);
    for answer in during {
        assert_eq!(answer.await.unwrap().status, 200);
    }
    assert_eq!(again.served(), 20);
    world.stop().await;
}

async fn post(address: std::net::SocketAddr) -> Answer {
    let request = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\norder";
    send(address, request).await.expect("an answer")
}
