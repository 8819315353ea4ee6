//! A request that is repeated under its key is done once.

use super::*;

async fn post(world: &World, token: &str, path: &str, key: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method("POST")
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {token}"))
        .header("idempotency-key", key);
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_repeated_request_is_done_once_and_answered_the_same() {
    let world = World::with_hello().await;
    let run = json!({"taskDefinition": "hello:1"});
    let first = post(&world, &world.admin, "/tasks", "one", &run).await;
    assert_eq!(first.status, 201);
    let again = post(&world, &world.admin, "/tasks", "one", &run).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.headers["content-type"], first.headers["content-type"]);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(world.state().tasks().count(), 1);
    post(&world, &world.admin, "/tasks", "two", &run).await.ok();
    assert_eq!(world.state().tasks().count(), 2);
}

#[tokio::test]
async fn requests_at_the_same_time_under_one_key_are_done_once() {
    let world = World::with_hello().await;
    let run = json!({"taskDefinition": "hello:1"});
    let both = (
        post(&world, &world.admin, "/tasks", "one", &run),
        post(&world, &world.admin, "/tasks", "one", &run),
    );
    let (one, other) = tokio::join!(both.0, both.1);
    assert_eq!((one.status, one.text), (other.status, other.text));
    assert_eq!(world.state().tasks().count(), 1);
}

#[tokio::test]
async fn a_key_is_good_for_one_request_only() {
    let world = World::with_hello().await;
    post(&world, &world.admin, "/tasks", "one", &json!({"taskDefinition": "hello:1"})).await.ok();
    let other = json!({"taskDefinition": "hello:1", "count": 2});
    let answer = post(&world, &world.admin, "/tasks", "one", &other).await;
    answer.problem(422, "IdempotencyConflict");
    let answer = post(&world, &world.admin, "/join-tokens", "one", &json!({"role": "agent"})).await;
    answer.problem(422, "IdempotencyConflict");
    for bad in ["", "a b", &"a".repeat(256)] {
        let answer = post(&world, &world.admin, "/tasks", bad, &other).await;
        answer.problem(400, "InvalidParameter");
    }
    assert_eq!(world.state().tasks().count(), 1);
}

#[tokio::test]
async fn what_was_refused_may_be_right_the_next_time() {
    let world = World::new().await;
    let deploy = json!({"name": "hello"});
    let refused = post(&world, &world.admin, "/deploy", "one", &deploy).await;
    refused.problem(404, "ImageNotFound");
    world.push("hello", "latest", 1, &[8080]).await;
    post(&world, &world.admin, "/deploy", "one", &deploy).await.ok();
}

#[tokio::test]
async fn a_key_answers_only_the_principal_that_used_it() {
    let world = World::new().await;
    let token = json!({"role": "agent"});
    let first = post(&world, &world.admin, "/join-tokens", "one", &token).await.ok();
    let other = post(&world, &world.other, "/join-tokens", "one", &token).await;
    other.problem(403, "AccessDenied");
    let nobody = post(&world, "wrong", "/join-tokens", "one", &token).await;
    nobody.problem(401, "Unauthenticated");
    let again = post(&world, &world.admin, "/join-tokens", "one", &token).await.ok();
    assert_eq!(again["token"], first["token"]);
}
