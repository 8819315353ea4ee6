//! Tasks: run, listed, stopped, and what they wrote.

use super::*;

async fn with_job() -> World {
    let world = World::new().await;
    world.push("job", "latest", 1, &[]).await;
    let container = json!({"name": "main", "image": "job", "memory": 64});
    let definition = json!({"family": "job", "containerDefinitions": [container]});
    world.post("/task-definitions", definition).await.ok();
    world
}

#[tokio::test]
async fn tasks_run_with_their_overrides_pinned_to_digests() {
    let world = with_job().await;
    let over = json!({"containerOverrides": [
        {"name": "main", "command": ["a", "b"], "environment": [{"name": "X", "value": "1"}]}]});
    let wish = json!({"taskDefinition": "job", "count": 3, "overrides": over});
    let answer = world.post("/tasks", wish).await;
    assert_eq!(answer.status, 201);
    let tasks = answer.ok()["tasks"].as_array().unwrap().clone();
    assert_eq!(tasks.len(), 3);
    for task in &tasks {
        assert_eq!(task["lastStatus"], "PROVISIONING");
        assert_eq!(
            (&task["group"], &task["startedBy"]),
            (&"family:job".into(), &"user/admin".into())
        );
        assert_eq!(task["containers"][0]["image"], format!("job@{}", digest(1)));
    }
    let state = world.state();
    let task = state.tasks().next().unwrap();
    assert_eq!(
        task.overrides.container_overrides[0].command,
        Some(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(world.get("/tasks").await.ok()["items"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_run_says_why() {
    let world = with_job().await;
    let over =
        |over: Value| json!({"taskDefinition": "job", "overrides": {"containerOverrides": [over]}});
    let cases = [
        (json!({"taskDefinition": "job", "count": 0}), 400, "InvalidParameter", "use 1 to 10"),
        (json!({"taskDefinition": "job", "count": 11}), 400, "InvalidParameter", "use 1 to 10"),
        (
            json!({"taskDefinition": "nothing"}),
            404,
            "TaskDefinitionNotFound",
            "berth task-definition ls",
        ),
        (json!({"taskDefinition": "job:2"}), 404, "TaskDefinitionNotFound", "job:2"),
        (json!({"taskDefinition": "job", "clusterName": "west"}), 404, "ClusterNotFound", "west"),
        (
            json!({"taskDefinition": "job", "startedBy": "x".repeat(129)}),
            400,
            "InvalidParameter",
            "128",
        ),
        (over(json!({"name": "other"})), 400, "InvalidParameter", "no container `other`"),
        (over(json!({"name": "main", "cpu": 1})), 400, "InvalidParameter", "cpu"),
        (
            over(json!({"name": "main", "environment": [{"name": "", "value": ""}]})),
            400,
            "InvalidParameter",
            "not empty",
        ),
        (
            over(json!({"name": "main", "command": ["x".repeat(8_192)]})),
            400,
            "InvalidParameter",
            "8196 bytes in all; 8192 at most",
        ),
    ];
    for (wish, status, code, expected) in cases {
        let answer = world.post("/tasks", wish).await;
        let detail = answer.problem(status, code);
        assert!(detail.contains(expected), "{detail}");
    }
    assert_eq!(world.state().tasks().count(), 0);
}

#[tokio::test]
async fn stopping_keeps_the_first_reason_and_may_be_asked_for_again() {
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    let path = format!("/tasks/{task}/stop");
    let answer = world.post(&path, json!({"reason": "enough"})).await.ok();
    assert_eq!(
        (&answer["desiredStatus"], &answer["lastStatus"]),
        (&"STOPPED".into(), &"DEACTIVATING".into())
    );
    let answer = world.ask("POST", &path, Body::empty()).await.ok();
    assert_eq!(
        (&answer["stopCode"], &answer["stoppedReason"]),
        (&"UserInitiated".into(), &"enough".into())
    );
    let long = json!({"reason": "ü".repeat(1025)});
    world.post(&path, long).await.problem(400, "InvalidParameter");
    let nobody = format!("/tasks/{}/stop", "0".repeat(32));
    let answer = world.post(&nobody, json!({})).await;
    assert!(answer.problem(404, "TaskNotFound").contains("berth task ls"));
}

/// A task of hello that has exited, whether State still has it or only history.
async fn ended(world: &World, n: u8, forgotten: bool) -> TaskId {
    let task = world.running_task("hello", 1, n).await;
    let container = TaskContainer {
        name: "hello".parse().unwrap(),
        image: PinnedImage { repository: "hello".parse().unwrap(), digest: digest(1) },
        runtime_id: None,
        exit_code: Some(1),
        reason: Some("exited with code 1".to_owned()),
        restarts: 0,
        log_tail: vec!["one".to_owned(), "two".to_owned(), "three".to_owned()],
    };
    world.apply(vec![report(task, 1, TaskStatus::Stopped, Some(container))]).await;
    if forgotten {
        world.apply(vec![TaskChange::Forget(task).into()]).await;
    }
    task
}

#[tokio::test]
async fn a_stopped_task_is_shown_and_listed_from_state_and_from_history() {
    let world = World::with_hello().await;
    let known = ended(&world, 1, false).await;
    let forgotten = ended(&world, 2, true).await;
    assert_eq!(world.get("/tasks?serviceName=hello").await.ok()["items"], json!([]));
    let list = world.get("/tasks?serviceName=hello&desiredStatus=STOPPED").await.ok();
    let ids: Vec<_> =
        list["items"].as_array().unwrap().iter().map(|task| task["taskId"].clone()).collect();
    assert_eq!(ids, [known.to_string(), forgotten.to_string()]);
    for task in [known, forgotten] {
        let shown = world.get(&format!("/tasks/{task}")).await.ok();
        assert_eq!(shown["lastStatus"], "STOPPED");
        assert_eq!(
            (&shown["stopCode"], &shown["serviceName"]),
            (&"EssentialContainerExited".into(), &"hello".into())
        );
        assert_eq!(shown["containers"][0]["exitCode"], 1);
        assert_eq!(shown["containers"][0]["logTail"], json!(["one", "two", "three"]));
    }
    let again = format!("/tasks/{forgotten}/stop");
    assert_eq!(world.post(&again, json!({})).await.ok()["lastStatus"], "STOPPED");
}

#[tokio::test]
async fn the_log_of_a_running_task_comes_from_its_agent_and_then_from_its_last_lines() {
    let world = World::with_hello().await;
    world.apply(vec![InstanceChange::Register(instance(2)).into()]).await;
    let running = world.running_task("hello", 1, 1).await;
    let answer =
        world.get(&format!("/tasks/{running}/logs?follow=true&tail=5&container=hello")).await;
    assert_eq!(answer.text, format!("web {running} Some(\"hello\") true Some(5)\n"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let away = world.running_task("hello", 2, 2).await;
    let answer = world.get(&format!("/tasks/{away}/logs")).await;
    assert_eq!(answer.problem(503, "Unavailable"), "the instance is away");

    for (n, forgotten) in [(3, false), (4, true)] {
        let task = ended(&world, n, forgotten).await;
        let log = world.get(&format!("/tasks/{task}/logs")).await;
        assert_eq!(log.text, "hello one\nhello two\nhello three\n");
        let tail = world.get(&format!("/tasks/{task}/logs?tail=1")).await;
        assert_eq!(tail.text, "hello three\n");
        let other = world.get(&format!("/tasks/{task}/logs?container=other")).await;
        other.problem(404, "ContainerNotFound");
    }
    world.get(&format!("/tasks/{}/logs", "0".repeat(32))).await.problem(404, "TaskNotFound");
}

#[tokio::test]
async fn health_is_what_all_connected_routers_say_and_unknown_before() {
    use model::observed::{TargetHealth, TargetSeen};
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    let group = world.revision("hello").load_balancers[0].target_group;
    let health = async || world.get(&format!("/tasks/{task}")).await.ok()["healthStatus"].clone();
    assert_eq!(health().await, "UNKNOWN");
    for (router, seen, expected) in
        [(1, TargetHealth::Healthy, "HEALTHY"), (2, TargetHealth::Unhealthy, "UNHEALTHY")]
    {
        let id = RouterId::new(now(), [router; 10]);
        world.observed.send_modify(|observed| {
            let seen = TargetSeen {
                health: seen,
                reason: None,
                failure: None,
                draining: false,
                in_flight: 3,
            };
            observed.hear_router(id, true, now()).targets.insert((group, task), seen);
        });
        assert_eq!(health().await, expected);
    }
    let groups = world.get("/target-groups").await.ok();
    let target = &groups["items"][0]["targets"][0];
    assert_eq!((&target["health"], &target["inFlight"]), (&"unhealthy".into(), &3.into()));
}

#[tokio::test]
async fn ids_are_taken_by_their_first_digits_where_only_one_begins_with_them() {
    let world = World::with_hello().await;
    let known = ended(&world, 1, false).await.to_string();
    let forgotten = ended(&world, 2, true).await.to_string();
    let shared: usize =
        known.bytes().zip(forgotten.bytes()).take_while(|(one, other)| one == other).count();
    let answer = world.get(&format!("/tasks/{}", &known[..shared])).await;
    if world.state().tasks().count() > 1 {
        answer.problem(409, "AmbiguousName");
    }
    for id in [&known, &forgotten] {
        let first = &id[..=shared];
        assert_eq!(world.get(&format!("/tasks/{first}")).await.ok()["taskId"], **id);
        let upper = first.to_uppercase();
        assert_eq!(world.get(&format!("/tasks/{upper}")).await.ok()["taskId"], **id);
        let log = world.get(&format!("/tasks/{first}/logs")).await;
        assert_eq!(log.text, "hello one\nhello two\nhello three\n");
    }
    world.get("/tasks/ffff").await.problem(404, "TaskNotFound");
    let id = instance_id(1).to_string();
    assert_eq!(world.get(&format!("/instances/{}", &id[..14])).await.ok()["name"], "host-1");
    let rule = json!({"host": "a.b", "serviceName": "hello"});
    let made = world.post("/rules", rule).await.ok();
    let rule = made["ruleId"].as_str().unwrap();
    world.delete(&format!("/rules/{rule}")).await.ok();
    world.delete(&format!("/rules/{}", &rule[..20])).await.problem(404, "RuleNotFound");
}
