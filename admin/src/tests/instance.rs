//! Instances and routers, and how new ones are let in.

use model::observed::DiskSeen;

use super::*;

#[tokio::test]
async fn a_join_token_is_shown_once_and_kept_as_a_hash() {
    let world = World::new().await;
    let wish = json!({"role": "agent", "uses": 3, "expiresInSeconds": 60});
    let answer = world.post("/join-tokens", wish).await;
    assert_eq!(answer.status, 201);
    let answer = answer.ok();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(
        answer["command"],
        format!("berth agent --server 127.0.0.1:7071 --join-token {token}")
    );
    let [version, fingerprint, id, secret] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("{token}");
    };
    assert_eq!((version, fingerprint), ("berth-join-v1", "ab".repeat(32).as_str()));
    let state = world.state();
    let kept = state.join_token(id.parse().unwrap()).unwrap();
    assert_eq!((kept.hash, kept.uses_left), (::access::hash_secret(secret), 3));
    assert_eq!(kept.expires_at, kept.created_at.plus(std::time::Duration::from_mins(1)));
    for key in state.row_keys() {
        let row = String::from_utf8(state.row(&key).unwrap()).unwrap();
        assert!(!row.contains(secret), "{key}");
    }
    let router = world.post("/join-tokens", json!({"role": "router"})).await.ok();
    assert!(router["command"].as_str().unwrap().starts_with("berth router --server "));
}

#[tokio::test]
async fn a_join_token_has_bounds() {
    let world = World::new().await;
    for wish in [
        json!({"role": "agent", "uses": 0}),
        json!({"role": "agent", "uses": 1001}),
        json!({"role": "agent", "expiresInSeconds": 0}),
        json!({"role": "agent", "expiresInSeconds": 604_801}),
        json!({"role": "server"}),
        json!({}),
    ] {
        world.post("/join-tokens", wish).await.problem(400, "InvalidParameter");
    }
    let west = json!({"role": "agent", "clusterName": "west"});
    world.post("/join-tokens", west).await.problem(404, "ClusterNotFound");
    assert_eq!(world.state().join_tokens().count(), 0);
}

#[tokio::test]
async fn an_instance_is_found_by_id_or_by_name_and_drained() {
    let world = World::with_hello().await;
    let reserving = json!({"name": "hello", "cpu": 256, "memory": 256});
    world.post("/deploy", reserving).await.ok();
    world.running_task("hello", 1, 1).await;
    let id = instance_id(1);
    let shown = world.get(&format!("/instances/{id}")).await.ok();
    assert_eq!((&shown["name"], &shown["status"]), (&"host-1".into(), &"ACTIVE".into()));
    assert_eq!((&shown["lease"], &shown["agentConnected"]), (&"READY".into(), &false.into()));
    assert_eq!(shown["registeredResources"], json!({"CPU": 4096, "MEMORY": 4096}));
    assert_eq!(shown["remainingResources"], json!({"CPU": 3840, "MEMORY": 3840}));
    assert_eq!(shown["runningTasksCount"], 1);
    let drained = world.patch("/instances/host-1", json!({"status": "DRAINING"})).await.ok();
    assert_eq!(
        (&drained["status"], &drained["instanceId"]),
        (&"DRAINING".into(), &id.to_string().into())
    );
    world.patch("/instances/host-1", json!({"status": "ACTIVE"})).await.ok();
    world
        .patch("/instances/host-1", json!({"status": "GONE"}))
        .await
        .problem(400, "InvalidParameter");
    let answer = world.get("/instances/host-9").await;
    assert!(answer.problem(404, "InstanceNotFound").contains("berth instance ls"));

    let twin = Instance { name: "host-1".to_owned(), ..instance(2) };
    world.apply(vec![InstanceChange::Register(twin).into()]).await;
    world.get("/instances/host-1").await.problem(409, "AmbiguousName");
    assert_eq!(world.get("/instances").await.ok()["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_instance_is_given_up_only_when_it_is_away() {
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    let id = instance_id(1);
    world.observed.send_modify(|observed| observed.hear_instance(id, true, now()));
    let answer = world.delete("/instances/host-1").await;
    assert!(answer.problem(409, "InstanceConnected").contains("berth instance drain host-1"));
    world.observed.send_modify(|observed| observed.hear_instance(id, false, now()));
    world.delete("/instances/host-1").await.ok();
    world.delete("/instances/host-1").await.problem(404, "InstanceNotFound");
    let task = world.get(&format!("/tasks/{task}")).await.ok();
    assert_eq!(
        (&task["lastStatus"], &task["stopCode"]),
        (&"STOPPED".into(), &"InfrastructureHealth".into())
    );
}

#[tokio::test]
async fn an_instance_goes_however_many_tasks_it_had() {
    let world = World::with_hello().await;
    let small = json!({"name": "hello", "cpu": 10, "memory": 10});
    world.post("/deploy", small).await.ok();
    for n in 1..=120 {
        world.running_task("hello", 1, n).await;
    }
    world.delete("/instances/host-1").await.ok();
    let state = world.state();
    assert_eq!(state.instances().count(), 0);
    assert!(state.tasks().all(|task| task.last_status() == TaskStatus::Stopped));
    assert_eq!(state.tasks().count(), 120);
}

#[tokio::test]
async fn routers_are_listed_with_what_they_serve_from_and_removed() {
    let world = World::new().await;
    let id = RouterId::new(now(), [7; 10]);
    let router =
        Router { id, name: "edge".to_owned(), version: "1".to_owned(), registered_at: now() };
    world.apply(vec![RouterChange::Register(router).into()]).await;
    world.observed.send_modify(|observed| {
        observed.hear_router(id, true, now()).applied = Some(StateRevision(5));
    });
    let list = world.get("/routers").await.ok();
    let shown = &list["items"][0];
    assert_eq!(
        (&shown["name"], &shown["connected"], &shown["appliedRevision"]),
        (&"edge".into(), &true.into(), &5.into())
    );
    world.delete(&format!("/routers/{id}")).await.ok();
    let answer = world.delete(&format!("/routers/{id}")).await;
    assert!(answer.problem(404, "RouterNotFound").contains("berth router ls"));
}

#[tokio::test]
async fn what_happened_to_an_instance_and_in_its_cluster_is_listed_newest_first() {
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    world.patch("/instances/host-1", json!({"status": "DRAINING"})).await.ok();
    world.delete("/instances/host-1").await.ok();
    let twin = Instance { name: "host-2".to_owned(), ..instance(2) };
    world.apply(vec![InstanceChange::Register(twin).into()]).await;
    let kinds = |list: &Value, field: &str| -> Vec<String> {
        let items = list["items"].as_array().unwrap().iter();
        items.filter_map(|one| Some(one[field]["kind"].as_str()?.to_owned())).collect()
    };
    let events = world.get("/instances/host-2/events").await.ok();
    assert_eq!(kinds(&events, "event"), ["Joined"]);
    let cluster = world.get("/clusters/default/events").await.ok();
    assert_eq!(
        kinds(&cluster, "instanceEvent"),
        ["Removed", "TaskLost", "StatusChanged", "Joined", "Joined"]
    );
    let lost = &cluster["items"].as_array().unwrap().iter();
    let lost = lost.clone().find(|one| one["instanceEvent"]["kind"] == "TaskLost").unwrap();
    assert_eq!(lost["instanceEvent"]["task"], task.to_string());
    assert_eq!(lost["instanceEvent"]["serviceName"], "hello");
    let service = kinds(&cluster, "serviceEvent");
    assert!(
        service.contains(&"TaskStopped".to_owned()),
        "a lost task leaves one, too: {service:?}"
    );
    let page = world.get("/clusters/default/events?limit=2").await.ok();
    assert_eq!(page["items"].as_array().map(Vec::len), Some(2));
    let token = page["nextToken"].as_str().unwrap();
    let next = world.get(&format!("/clusters/default/events?limit=1&nextToken={token}")).await.ok();
    assert_eq!(next["items"][0], cluster["items"][2]);
    world.get("/clusters/west/events").await.problem(404, "ClusterNotFound");
    world.get("/instances/host-9/events").await.problem(404, "InstanceNotFound");
}

#[tokio::test]
async fn an_instance_shows_what_its_agent_measures() {
    let world = World::new().await;
    world.observed.send_modify(|observed| {
        let host = observed.hosts.entry(instance_id(1)).or_default();
        host.available_memory_mib = Some(512);
        host.disk = Some(DiskSeen { total_mib: 100_000, free_mib: 400 });
    });
    let shown = world.get("/instances/host-1").await.ok();
    assert_eq!(shown["availableMemoryMib"], 512);
    assert_eq!(shown["disk"], json!({"totalMib": 100_000, "freeMib": 400, "nearlyFull": true}));
}
