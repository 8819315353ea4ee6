//! How everything is, what the registry has, and the end of it all.

use super::*;

#[tokio::test]
async fn status_shows_everything_at_once() {
    let world = World::with_hello().await;
    world.ready.send_replace(Readiness { parts: vec![("store", Ok(()))], warnings: Vec::new() });
    let status = world.get("/status").await.ok();
    assert_eq!((&status["version"], &status["ready"]), (&"1.2.3".into(), &true.into()));
    assert_eq!(status["installation"], world.state().installation().unwrap().to_string());
    assert_eq!(status["revision"], world.state().revision().0);
    assert_eq!(status["registryAddress"], "localhost:5000");
    assert_eq!(status["routerUrl"], "http://localhost:8080");
    assert_eq!(status["linkAddress"], "127.0.0.1:7071");
    assert_eq!(status["registryDisk"]["isLow"], true);
    assert_eq!(status["instances"][0]["name"], "host-1");
    assert_eq!(status["services"][0]["url"], "http://hello.localhost:8080");
    assert_eq!(status["routers"], json!([]));
}

#[tokio::test]
async fn ready_means_every_part_is_and_says_which_is_not() {
    let world = World::new().await;
    let readyz = async || {
        let request = Request::builder().uri("/readyz").body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        (answer.status.as_u16(), answer.text)
    };
    assert_eq!(readyz().await, (503, "not ready\n".to_owned()), "nothing is known yet");
    let parts = |router: Result<(), String>| Readiness {
        parts: vec![("store", Ok(())), ("router", router)],
        warnings: Vec::new(),
    };
    world.ready.send_replace(parts(Err("has not joined".to_owned())));
    assert_eq!(
        readyz().await,
        (503, "[+]store ok\n[-]router has not joined\nnot ready\n".to_owned())
    );
    world.ready.send_replace(parts(Ok(())));
    assert_eq!(readyz().await, (200, "[+]store ok\n[+]router ok\nready\n".to_owned()));

    let low = vec!["the disk is low".to_owned()];
    world.ready.send_replace(Readiness { warnings: low, ..parts(Ok(())) });
    let text = "[+]store ok\n[+]router ok\n[!]the disk is low\nready\n".to_owned();
    assert_eq!(readyz().await, (200, text), "it serves all the same");
}

#[tokio::test]
async fn repositories_and_tags_are_listed_as_they_were_pushed() {
    let world = World::new().await;
    world.push("team/hello", "latest", 1, &[8080, 80]).await;
    world.push("team/hello", "v1", 2, &[]).await;
    let list = world.get("/repositories").await.ok();
    assert_eq!(
        (&list["items"][0]["repositoryName"], &list["items"][0]["tagsCount"]),
        (&"team/hello".into(), &2.into())
    );
    let tags = world.get("/tags?repository=team/hello").await.ok();
    assert_eq!(tags, world.get("/tags?repository=team%2Fhello").await.ok());
    let latest = &tags["items"][0];
    assert_eq!(
        (&latest["tag"], &latest["digest"]),
        (&"latest".into(), &digest(1).to_string().into())
    );
    assert_eq!(
        (&latest["platforms"], &latest["exposedPorts"]),
        (&json!(["linux/amd64"]), &json!([80, 8080]))
    );
    let answer = world.get("/tags?repository=other").await;
    assert!(answer.problem(404, "RepositoryNotFound").contains("berth image ls"));
}

#[tokio::test]
async fn down_stops_every_task_and_may_be_asked_for_again() {
    let world = World::with_hello().await;
    world.running_task("hello", 1, 1).await;
    let container = json!({"name": "main", "image": "hello"});
    world
        .post("/task-definitions", json!({"family": "job", "containerDefinitions": [container]}))
        .await
        .ok();
    world.post("/tasks", json!({"taskDefinition": "job", "count": 10})).await.ok();
    let left = world.ask("POST", "/down", Body::empty()).await.ok();
    assert_eq!(left, json!({"services": 0, "tasks": 11}));
    assert_eq!(world.service("hello").status, ServiceStatus::Active, "what people made stays");
    assert!(world.state().instances().all(|instance| instance.suspended));
    let state = world.state();
    let alone: Vec<_> = state.tasks().filter(|task| task.service.is_none()).collect();
    assert!(alone.iter().all(|task| task.stopped().unwrap().reason == "stopped by `berth down`"));
    for task in alone {
        world.apply(vec![TaskChange::Forget(task.id).into()]).await;
    }
    assert_eq!(
        world.ask("POST", "/down", Body::empty()).await.ok(),
        json!({"services": 0, "tasks": 1})
    );
    assert_eq!(world.get("/down").await.ok(), json!({"services": 0, "tasks": 1}));
    world.delete("/down").await.ok();
    assert!(!world.state().instances().any(|instance| instance.suspended));
}

#[tokio::test]
async fn down_of_one_instance_leaves_the_others_alone() {
    let world = World::with_hello().await;
    world.apply(vec![InstanceChange::Register(instance(2)).into()]).await;
    world.running_task("hello", 1, 1).await;
    world.running_task("hello", 2, 2).await;
    let path = format!("/down?instance={}", instance_id(2));
    let left = world.ask("POST", &path, Body::empty()).await.ok();
    assert_eq!(left, json!({"services": 0, "tasks": 1}));
    let state = world.state();
    let suspended: Vec<_> = state.instances().filter(|one| one.suspended).collect();
    assert_eq!(suspended.iter().map(|one| one.id).collect::<Vec<_>>(), [instance_id(2)]);
    assert_eq!(world.get("/instances/host-2").await.ok()["suspended"], true);
    let nobody = format!("/down?instance={}", instance_id(9));
    world.ask("POST", &nobody, Body::empty()).await.problem(404, "InstanceNotFound");
}

#[tokio::test]
async fn what_is_wrong_with_a_service_is_told_with_its_image_and_revision() {
    use model::observed::{TargetHealth, TargetSeen};
    let world = World::with_hello().await;
    let shown = world.get("/services/hello").await.ok();
    assert_eq!(shown["problems"], json!([]));
    assert_eq!(
        shown["images"]["hello"],
        json!({"image": "hello:latest", "digest": digest(1).to_string()})
    );
    let task = world.running_task("hello", 1, 1).await;
    let group = world.revision("hello").load_balancers[0].target_group;
    world.observed.send_modify(|observed| {
        let seen = TargetSeen {
            health: TargetHealth::Unhealthy,
            reason: Some("GET / answered 500".to_owned()),
            failure: None,
            draining: false,
            in_flight: 0,
        };
        let router = observed.hear_router(RouterId::new(now(), [1; 10]), true, now());
        router.targets.insert((group, task), seen);
    });
    let service = world.service("hello").id;
    let failure = Some(PlacementFailure::HealthUnknown);
    let change = ServiceChange::SetPlacementFailure { service, failure };
    world.apply(vec![change.into()]).await;
    let problems = world.get("/status").await.ok()["services"][0]["problems"].clone();
    assert_eq!(problems[0]["kind"], "NotPlaced");
    assert!(problems[0]["advice"].as_str().is_some_and(|advice| advice.contains("berth up")));
    assert_eq!(
        problems[1],
        json!({"kind": "Unhealthy", "tasks": 1, "check": "GET / answered 500"})
    );
}

#[tokio::test]
async fn down_does_not_wait_for_what_is_only_kept_for_a_router_that_is_away() {
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    let id = RouterId::new(now(), [7; 10]);
    let router =
        Router { id, name: "edge".to_owned(), version: "1".to_owned(), registered_at: now() };
    world.apply(vec![RouterChange::Register(router).into()]).await;
    let hear = |connected, at| {
        world.observed.send_modify(|observed| {
            observed.hear_router(id, connected, at);
        });
    };
    hear(false, Timestamp::EPOCH);
    let left = world.ask("POST", "/down", Body::empty()).await.ok();
    assert_eq!(left, json!({"services": 0, "tasks": 1}), "its container is still there");
    let stop = Stopped::new(StopCause::InstallationDown, "stopped");
    world.apply(vec![TaskChange::Stop { task, stopped: stop }.into()]).await;
    let stopped = report(task, 1, TaskStatus::Stopped, None);
    let reaped = Change::from(TaskChange::Reaped { instance: instance_id(1), task });
    world.apply(vec![TaskChange::Drained(task).into(), stopped, reaped]).await;
    assert_eq!(world.state().tasks().count(), 1);
    assert_eq!(world.get("/down").await.ok(), json!({"services": 0, "tasks": 0}));
    hear(true, now());
    assert_eq!(world.get("/down").await.ok(), json!({"services": 0, "tasks": 1}));
}

#[tokio::test]
async fn images_are_verified_when_that_is_asked_for_and_the_last_result_is_kept() {
    let world = World::new().await;
    let none = world.get("/image-verification").await.ok();
    assert_eq!(none, json!({ "verification": null }));
    let begun = world.ask("POST", "/image-verification", Body::empty()).await.ok();
    assert_eq!(begun["verification"]["damaged"][0]["repositories"], json!(["hello"]));
    assert_eq!(world.get("/image-verification").await.ok(), begun);
}
