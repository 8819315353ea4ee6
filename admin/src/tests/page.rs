//! Lists come in pages, and all pages together are the list.

use super::*;

/// All items of a list, page by page, and how many pages they came in.
async fn walk(world: &World, path: &str, limit: usize) -> (Vec<Value>, usize) {
    let more = if path.contains('?') { '&' } else { '?' };
    let mut next = format!("{path}{more}limit={limit}");
    let (mut items, mut pages) = (Vec::new(), 0);
    loop {
        let page = world.get(&next).await.ok();
        let got = page["items"].as_array().unwrap();
        assert!(got.len() <= limit, "{page}");
        items.extend(got.clone());
        pages += 1;
        let Some(token) = page["nextToken"].as_str() else { return (items, pages) };
        next = format!("{path}{more}limit={limit}&nextToken={token}");
    }
}

#[tokio::test]
async fn every_list_is_cut_and_goes_on() {
    let world = World::with_hello().await;
    for name in ["a", "b"] {
        world.push(name, "latest", 3, &[80]).await;
        world.push("hello", name, 3, &[80]).await;
        world.post("/deploy", json!({"name": name})).await.ok();
    }
    world
        .apply(vec![
            InstanceChange::Register(instance(2)).into(),
            InstanceChange::Register(instance(3)).into(),
        ])
        .await;
    for n in 1..=3 {
        world.running_task("hello", 1, n).await;
    }
    for (path, length) in [
        ("/services", 3),
        ("/instances", 3),
        ("/repositories", 3),
        ("/tags?repository=hello", 3),
        ("/rules", 3),
        ("/target-groups", 3),
        ("/task-definitions", 3),
        ("/tasks", 3),
        ("/listeners", 1),
        ("/clusters", 1),
        ("/routers", 0),
    ] {
        let whole = world.get(path).await.ok();
        assert_eq!(whole["items"].as_array().unwrap().len(), length, "{path}");
        assert!(whole["nextToken"].is_null(), "{path}");
        let (items, pages) = walk(&world, path, 1).await;
        assert_eq!(Value::from(items), whole["items"], "{path}");
        assert_eq!(pages, length.max(1), "{path}");
    }
}

#[tokio::test]
async fn history_goes_on_from_page_to_page() {
    let world = World::with_hello().await;
    for count in 3..8 {
        world.patch("/services/hello", json!({"desiredCount": count})).await.ok();
    }
    let whole = world.get("/services/hello/events").await.ok();
    let (items, pages) = walk(&world, "/services/hello/events", 3).await;
    assert_eq!(Value::from(items), whole["items"]);
    assert!(pages >= 3, "{pages}");

    for n in 1..=4 {
        let task = world.running_task("hello", 1, n).await;
        world.apply(vec![report(task, 1, TaskStatus::Stopped, None)]).await;
        if n <= 2 {
            world.apply(vec![TaskChange::Forget(task).into()]).await;
        }
    }
    for path in ["/tasks?desiredStatus=STOPPED", "/tasks?desiredStatus=STOPPED&serviceName=hello"] {
        let whole = world.get(path).await.ok();
        assert_eq!(whole["items"].as_array().unwrap().len(), 4, "two in State, two in history");
        for limit in 1..=5 {
            let (items, _) = walk(&world, path, limit).await;
            assert_eq!(Value::from(items), whole["items"], "{path} by {limit}");
        }
    }
}

#[tokio::test]
async fn a_page_that_cannot_be_is_refused() {
    let world = World::new().await;
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=x", "nextToken=x", "nextToken="] {
        let answer = world.get(&format!("/instances?{query}")).await;
        answer.problem(400, "InvalidParameter");
    }
    world.get("/tasks?desiredStatus=STOPPED&nextToken=x").await.problem(400, "InvalidParameter");
}
