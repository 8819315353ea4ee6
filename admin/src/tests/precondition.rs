//! A change that is based on what somebody has read is not made on what has changed since.

use super::*;

async fn ask(world: &World, method: &str, path: &str, if_match: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("/api/v1{path}"))
        .header("authorization", format!("Bearer {}", world.admin))
        .header("if-match", if_match);
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_update_of_a_service_that_has_changed_is_refused() {
    let world = World::with_hello().await;
    let first = tag(&world.get("/services/hello").await);
    world.running_task("hello", 1, 1).await;
    assert_eq!(tag(&world.get("/services/hello").await), first, "a task more is no other setting");

    let three = json!({"desiredCount": 3});
    let answer = ask(&world, "PATCH", "/services/hello", &first, &three).await;
    let second = tag(&answer);
    assert_eq!(answer.ok()["desiredCount"], 3);
    assert_ne!(second, first);
    let late = ask(&world, "PATCH", "/services/hello", &first, &json!({"desiredCount": 9})).await;
    late.problem(412, "PreconditionFailed");
    for (method, path) in [("DELETE", "/services/hello"), ("POST", "/services/hello/rollback")] {
        ask(&world, method, path, &first, &json!({})).await.problem(412, "PreconditionFailed");
    }
    assert_eq!(world.service("hello").desired_count, 3);
    for matching in ["*", &format!("\"x\", {second}")] {
        ask(&world, "PATCH", "/services/hello", matching, &three).await.ok();
    }
    let answer = ask(&world, "PATCH", "/services/hello", "x", &three).await;
    answer.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn an_update_of_an_instance_that_has_changed_is_refused() {
    let world = World::new().await;
    let first = tag(&world.get("/instances/host-1").await);
    let drain = json!({"status": "DRAINING"});
    ask(&world, "PATCH", "/instances/host-1", &first, &drain).await.ok();
    let late = ask(&world, "PATCH", "/instances/host-1", &first, &drain).await;
    late.problem(412, "PreconditionFailed");
    let late = ask(&world, "DELETE", "/instances/host-1", &first, &json!({})).await;
    late.problem(412, "PreconditionFailed");
    assert_eq!(world.state().instances().count(), 1);
}

#[tokio::test]
async fn states_that_are_meant_may_stand_in_several_lines() {
    let world = World::with_hello().await;
    let known = tag(&world.get("/services/hello").await);
    let request = Request::builder()
        .method("PATCH")
        .uri("/api/v1/services/hello")
        .header("authorization", format!("Bearer {}", world.admin))
        .header("if-match", "\"a,b\"")
        .header("if-match", known);
    world.send(request.body(Body::from("{}")).unwrap()).await.ok();
}
