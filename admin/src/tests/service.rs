//! Services: scaled, updated, rolled back, removed.

use super::*;

fn primary(service: &Value) -> &Value {
    assert_eq!(service["deployments"][0]["status"], "PRIMARY");
    &service["deployments"][0]
}

#[tokio::test]
async fn scaling_changes_the_count_and_starts_no_deployment() {
    let world = World::with_hello().await;
    let before = world.service("hello").deployment;
    let answer = world.patch("/services/hello", json!({"desiredCount": 5})).await.ok();
    assert_eq!((&answer["desiredCount"], &answer["runningCount"]), (&5.into(), &0.into()));
    assert_eq!(world.service("hello").deployment, before);
    let answer = world.patch("/services/hello", json!({"desiredCount": 5001})).await;
    assert!(answer.problem(400, "InvalidParameter").contains("5000 at most"));
    world
        .patch("/services/hello", json!({"desiredCount": -1}))
        .await
        .problem(400, "InvalidParameter");
    world
        .patch("/services/other", json!({"desiredCount": 1}))
        .await
        .problem(404, "ServiceNotFound");
}

#[tokio::test]
async fn an_update_to_another_revision_starts_a_deployment() {
    let world = World::with_hello().await;
    let before = world.service("hello").deployment;
    let definition = json!({"family": "hello", "containerDefinitions": [
        {"name": "hello", "image": "hello", "portMappings": [{"containerPort": 8080}]}]});
    world.post("/task-definitions", definition).await.ok();
    let answer = world.patch("/services/hello", json!({"taskDefinition": "hello"})).await.ok();
    assert_eq!(answer["taskDefinition"], "hello:2");
    assert_eq!(primary(&answer)["taskDefinition"], "hello:2");
    let second = world.service("hello").deployment;
    assert_ne!(second, before);
    world.patch("/services/hello", json!({"taskDefinition": "hello:2"})).await.ok();
    assert_eq!(world.service("hello").deployment, second, "that is what it runs");
    world.patch("/services/hello", json!({"forceNewDeployment": true})).await.ok();
    assert_ne!(world.service("hello").deployment, second);
    let missing = json!({"taskDefinition": "hello:9"});
    world.patch("/services/hello", missing).await.problem(404, "TaskDefinitionNotFound");
}

#[tokio::test]
async fn settings_change_as_a_whole_or_not_at_all() {
    let world = World::with_hello().await;
    let bounds = json!({"deploymentConfiguration": {"minimumHealthyPercent": 50}, "followTags": false, "healthCheckGracePeriodSeconds": 7});
    let answer = world.patch("/services/hello", bounds).await.ok();
    assert_eq!(answer["deploymentConfiguration"]["minimumHealthyPercent"], 50);
    assert_eq!(
        (&answer["followTags"], &answer["healthCheckGracePeriodSeconds"]),
        (&false.into(), &7.into())
    );
    let bad = json!({"desiredCount": 9, "deploymentConfiguration": {"maximumPercent": 50}});
    world.patch("/services/hello", bad).await.problem(400, "InvalidParameter");
    assert_eq!(world.service("hello").desired_count, 2);
    let unknown = json!({"deploymentConfiguration": {"alarms": {}}});
    let answer = world.patch("/services/hello", unknown).await;
    let detail = answer.problem(400, "InvalidParameter");
    assert!(detail.contains("deploymentConfiguration") && detail.contains("alarms"), "{detail}");
}

#[tokio::test]
async fn a_rollback_goes_to_what_completed_before() {
    let world = World::with_hello().await;
    let answer = world.ask("POST", "/services/hello/rollback", Body::empty()).await;
    assert!(answer.problem(409, "NothingToRollBackTo").contains("no earlier revision"));
    world.push("hello", "latest", 2, &[8080]).await;
    world.post("/deploy", json!({"name": "hello"})).await.ok();
    let second = world.service("hello").deployment.unwrap();

    let answer = world.ask("POST", "/services/hello/rollback", Body::empty()).await.ok();
    assert_eq!(
        primary(&answer)["images"]["hello"],
        format!("hello@{}", digest(1)),
        "from one under way"
    );
    assert_eq!(primary(&answer)["rollbackOf"], second.to_string());
    world.complete("hello").await;

    world.post("/deploy", json!({"name": "hello"})).await.ok();
    world.complete("hello").await;
    let answer = world.ask("POST", "/services/hello/rollback", Body::empty()).await.ok();
    assert_eq!(
        primary(&answer)["images"]["hello"],
        format!("hello@{}", digest(1)),
        "from a complete one"
    );
}

#[tokio::test]
async fn a_rollback_counts_the_tasks_that_it_keeps_as_its_own() {
    let world = World::with_hello().await;
    world.running_task("hello", 1, 1).await;
    let first = world.service("hello").deployment.unwrap();
    world.push("hello", "latest", 2, &[8080]).await;
    world.post("/deploy", json!({"name": "hello"})).await.ok();
    let answer = world.get("/services/hello").await.ok();
    assert_eq!(primary(&answer)["runningCount"], 0);
    let older = &answer["deployments"][1];
    assert_eq!((&older["id"], &older["runningCount"]), (&json!(first.to_string()), &json!(1)));

    let answer = world.ask("POST", "/services/hello/rollback", Body::empty()).await.ok();
    assert_eq!(primary(&answer)["runningCount"], 1);
    let ids: Vec<_> =
        answer["deployments"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert!(!ids.contains(&&json!(first.to_string())), "{ids:?}");
}

#[tokio::test]
async fn a_removed_service_drains_and_then_is_gone_with_its_routing() {
    let world = World::with_hello().await;
    let answer = world.delete("/services/hello").await.ok();
    assert_eq!(answer["status"], "DRAINING");
    world.delete("/services/hello").await.ok();
    world.patch("/services/hello", json!({"desiredCount": 1})).await.problem(409, "WrongStatus");
    let id = world.service("hello").id;
    let rules: Vec<_> = world
        .state()
        .rules()
        .map(|rule| Change::from(RoutingChange::RemoveRule(rule.id)))
        .collect();
    world.apply(rules).await;
    world.apply(vec![ServiceChange::Remove(id).into()]).await;
    let answer = world.get("/services/hello").await;
    assert!(answer.problem(404, "ServiceNotFound").contains("berth service ls"));
    world.delete("/services/hello").await.problem(404, "ServiceNotFound");
    assert_eq!(world.get("/rules").await.ok()["items"], json!([]));
    assert_eq!(world.get("/target-groups").await.ok()["items"], json!([]));
}

#[tokio::test]
async fn a_service_is_made_from_a_definition() {
    let world = World::with_hello().await;
    let wish = json!({"serviceName": "again", "taskDefinition": "hello:1", "desiredCount": 3});
    let answer = world.post("/services", wish.clone()).await;
    assert_eq!(answer.status, 201);
    assert_eq!(primary(&answer.body)["desiredCount"], 3);
    let answer = world.post("/services", wish).await;
    assert!(answer.problem(409, "AlreadyExists").contains("`again`"));
    let missing = json!({"serviceName": "x", "taskDefinition": "nothing", "desiredCount": 1});
    world.post("/services", missing).await.problem(404, "TaskDefinitionNotFound");
    let bad = json!({"serviceName": "x", "taskDefinition": "hello:x", "desiredCount": 1});
    world.post("/services", bad).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn a_definition_whose_image_is_not_pushed_yet_says_how_to_push_it() {
    let world = World::new().await;
    let definition =
        json!({"family": "early", "containerDefinitions": [{"name": "a", "image": "early"}]});
    world.post("/task-definitions", definition).await.ok();
    let wish = json!({"serviceName": "early", "taskDefinition": "early", "desiredCount": 1});
    let answer = world.post("/services", wish).await;
    assert!(
        answer.problem(404, "ImageNotFound").contains("docker push localhost:5000/early:latest")
    );
}

#[tokio::test]
async fn events_come_newest_first_and_as_many_as_asked_for() {
    let world = World::with_hello().await;
    for count in 3..8 {
        world.patch("/services/hello", json!({"desiredCount": count})).await.ok();
    }
    let events = world.get("/services/hello/events?limit=2").await.ok();
    let events = events["items"].as_array().unwrap().clone();
    assert_eq!(events.len(), 2);
    assert_eq!(events[0]["message"], "(service hello) desired count changed from 6 to 7");
    assert!(events[0]["createdAt"].as_str() > events[1]["createdAt"].as_str(), "{events:?}");
    let all = world.get("/services/hello/events").await.ok()["items"].as_array().unwrap().len();
    assert_eq!(all, 8, "created, started, completed, five counts");
    world.get("/services/other/events").await.problem(404, "ServiceNotFound");
}

#[tokio::test]
async fn services_are_listed_by_cluster_with_their_counts() {
    let world = World::with_hello().await;
    world.running_task("hello", 1, 1).await;
    let list = world.get("/services").await.ok();
    let hello = &list["items"][0];
    assert_eq!((&hello["serviceName"], &hello["runningCount"]), (&"hello".into(), &1.into()));
    let answer = world.get("/services?cluster=west").await;
    assert!(answer.problem(404, "ClusterNotFound").contains("`west`"));
    let clusters = world.get("/clusters").await.ok();
    let cluster = &clusters["items"][0];
    assert_eq!(
        (&cluster["clusterName"], &cluster["runningTasksCount"]),
        (&"default".into(), &1.into())
    );
}
