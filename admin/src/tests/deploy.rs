//! From an image to a service with a URL, and every change of it by deploying again.

use super::*;

fn inferred(answer: &Value, name: &str) -> (String, String) {
    let all = answer["inferred"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == name).unwrap_or(&Value::Null);
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    (text("value"), text("origin"))
}

fn container(world: &World, service: &str) -> ContainerDefinition {
    let key = world.revision(service).task_definition;
    world.state().task_definition(&key).unwrap().container_definitions[0].clone()
}

#[tokio::test]
async fn deploying_makes_everything_in_one_batch_and_shows_what_it_inferred() {
    let world = World::new().await;
    world.push("hello", "latest", 1, &[8080, 9090]).await;
    let before = world.state().revision();
    let answer = world.post("/deploy", json!({"name": "hello"})).await.ok();
    assert_eq!(world.state().revision(), before.next(), "one batch");
    assert_eq!(answer["url"], "http://hello.localhost:8080");
    assert_eq!((&answer["created"], &answer["taskDefinition"]), (&true.into(), &"hello:1".into()));
    assert_eq!(answer["image"], format!("hello@{}", digest(1)));
    let (port, origin) = inferred(&answer, "port");
    assert_eq!(port, "8080");
    assert_eq!(origin, "the lowest port of the image's EXPOSE");
    let (image, origin) = inferred(&answer, "image");
    assert_eq!((image.as_str(), origin.as_str()), ("hello:latest", "the service's name"));
    for (name, value) in
        [("replicas", "1"), ("host", "hello.localhost"), ("path", "/"), ("health", "/")]
    {
        assert_eq!(inferred(&answer, name).0, value, "{name}");
    }
    let shown = world.get("/services/hello").await.ok();
    assert_eq!(shown["deployments"][0]["id"], answer["deploymentId"]);
    assert_eq!(shown["deployments"][0]["status"], "PRIMARY");
    assert_eq!(shown["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(shown["loadBalancers"][0]["containerPort"], 8080);
    assert_eq!((&shown["createdBy"], &shown["desiredCount"]), (&"user/admin".into(), &1.into()));
}

#[tokio::test]
async fn deploying_again_with_nothing_changed_rolls_nothing_out() {
    let world = World::with_hello().await;
    let before = world.state().revision();
    let answer = world.post("/deploy", json!({"name": "hello", "desiredCount": 2})).await.ok();
    assert_eq!((&answer["deploymentId"], &answer["created"]), (&Value::Null, &false.into()));
    assert_eq!(answer["url"], "http://hello.localhost:8080");
    assert_eq!(world.state().revision(), before, "nothing was written");
}

#[tokio::test]
async fn what_is_not_said_stays_as_it_is() {
    let world = World::with_hello().await;
    let env = |name: &str, value: &str| json!({"name": name, "value": value});
    let first = json!({"name": "hello", "memory": 512, "environment": [env("A", "1"), env("B", "2")], "command": ["serve"]});
    world.post("/deploy", first).await.ok();
    let second =
        json!({"name": "hello", "cpu": 100, "environment": [env("B", "3"), env("C", "4")]});
    let answer = world.post("/deploy", second).await.ok();
    assert_eq!(answer["taskDefinition"], "hello:3");
    let container = container(&world, "hello");
    let environment =
        container.environment.iter().map(|one| (one.name.as_str(), one.value.as_str()));
    assert_eq!(environment.collect::<Vec<_>>(), [("A", "1"), ("B", "3"), ("C", "4")]);
    assert_eq!((container.cpu, container.memory), (100, Some(512)));
    assert_eq!(container.command, Some(vec!["serve".to_owned()]));
    assert_eq!(world.service("hello").desired_count, 2);
    assert_eq!(world.state().rules_in_force().len(), 1);
    let wish = json!({"name": "hello", "unsetEnvironment": ["A", "nothing"]});
    world.post("/deploy", wish).await.ok();
    let left = self::container(&world, "hello").environment;
    assert_eq!(left.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["B", "C"]);
}

#[tokio::test]
async fn a_moved_tag_is_deployed_without_a_new_revision() {
    let world = World::with_hello().await;
    world.push("hello", "latest", 2, &[8080]).await;
    let answer = world.post("/deploy", json!({"name": "hello"})).await.ok();
    assert!(answer["deploymentId"].is_string());
    assert_eq!(answer["taskDefinition"], "hello:1");
    assert_eq!(answer["image"], format!("hello@{}", digest(2)));
}

#[tokio::test]
async fn an_image_that_is_not_there_says_how_to_push_it() {
    let world = World::new().await;
    let answer = world.post("/deploy", json!({"name": "hello"})).await;
    let detail = answer.problem(404, "ImageNotFound");
    assert!(detail.contains("`hello:latest` does not exist"), "{detail}");
    assert!(detail.contains("docker push localhost:5000/hello:latest"), "{detail}");
    world.push("hello", "latest", 1, &[80]).await;
    let other = json!({"name": "hello", "image": "hello:v2"});
    world.post("/deploy", other).await.problem(404, "ImageNotFound");
    let digest = json!({"name": "hello", "image": format!("other@{}", digest(1)), "port": 80});
    world.post("/deploy", digest).await.problem(404, "ImageNotFound");
    assert_eq!(world.state().services().count(), 0);
}

#[tokio::test]
async fn an_image_may_be_named_by_digest_and_by_the_registrys_own_addresses() {
    let world = World::new().await;
    world.push("team/hello", "v1", 1, &[80]).await;
    let images = [
        "team/hello:v1".to_owned(),
        "localhost:5000/team/hello:v1".to_owned(),
        "127.0.0.1:5000/team/hello:v1".to_owned(),
        format!("localhost:5000/team/hello@{}", digest(1)),
    ];
    for (number, image) in images.iter().enumerate() {
        let wish = json!({"name": format!("hello-{number}"), "image": image});
        let answer = world.post("/deploy", wish).await.ok();
        assert_eq!(answer["image"], format!("team/hello@{}", digest(1)));
        assert_eq!(inferred(&answer, "port").0, "80");
    }
    let foreign = json!({"name": "x", "image": "docker.io/library/nginx"});
    let answer = world.post("/deploy", foreign).await;
    let detail = answer.problem(400, "InvalidParameter");
    assert!(
        detail.contains("docker tag docker.io/library/nginx:latest localhost:5000/library/nginx"),
        "{detail}"
    );
}

#[tokio::test]
async fn an_image_that_exposes_nothing_runs_as_a_worker_until_a_port_is_said() {
    let world = World::new().await;
    world.push("hello", "latest", 1, &[]).await;
    let answer = world.post("/deploy", json!({"name": "hello", "host": "a.example"})).await;
    assert!(answer.problem(400, "NoPort").contains("--port"));
    let answer = world.post("/deploy", json!({"name": "hello"})).await.ok();
    assert_eq!((&answer["url"], inferred(&answer, "port").0.as_str()), (&Value::Null, "none"));
    assert!(world.revision("hello").load_balancers.is_empty());
    world
        .post("/deploy", json!({"name": "hello", "port": 0}))
        .await
        .problem(400, "InvalidParameter");
    world.post("/deploy", json!({"name": "hello", "port": 3000})).await.ok();
    assert_eq!(world.revision("hello").load_balancers[0].container_port, 3000);
}

#[tokio::test]
async fn a_port_that_moves_takes_the_traffic_along_and_older_tasks_keep_theirs() {
    let world = World::with_hello().await;
    let task = world.running_task("hello", 1, 1).await;
    world.post("/deploy", json!({"name": "hello", "port": 9090})).await.ok();
    assert_eq!(world.revision("hello").load_balancers[0].container_port, 9090);
    let groups = world.get("/target-groups").await.ok();
    let target = &groups["items"][0]["targets"][0];
    assert_eq!(
        (&target["taskId"], &target["address"]),
        (&task.to_string().into(), &"10.90.1.11:8080".into())
    );
}

#[tokio::test]
async fn a_host_that_another_rule_has_is_refused_and_nothing_is_made() {
    let world = World::with_hello().await;
    world.push("other", "latest", 3, &[80]).await;
    let wish = json!({"name": "other", "host": "Hello.localhost"});
    let answer = world.post("/deploy", wish).await;
    let detail = answer.problem(409, "RuleConflict");
    assert!(detail.contains("hello.localhost") && detail.contains("berth rule rm"), "{detail}");
    assert_eq!(world.state().services().count(), 1);
    assert_eq!(world.state().task_definitions().count(), 1);
    world
        .post("/deploy", json!({"name": "other", "host": "hello.localhost", "path": "/other"}))
        .await
        .ok();
}

#[tokio::test]
async fn a_new_host_is_rolled_out_and_the_same_one_is_not() {
    let world = World::with_hello().await;
    let wish = json!({"name": "hello", "host": "shop.example.com.", "path": "/hello/"});
    let answer = world.post("/deploy", wish.clone()).await.ok();
    assert_eq!(answer["url"], "http://shop.example.com:8080/hello");
    assert!(answer["deploymentId"].is_string(), "how it is reached comes and goes with a revision");
    let hosts = |world: &World| -> Vec<String> {
        let rules = world.state().rules_in_force().into_values();
        rules.flat_map(|rule| rule.conditions.host_header).collect()
    };
    assert_eq!(hosts(&world), ["hello.localhost"], "until a task of it is healthy");
    let again = world.post("/deploy", wish).await.ok();
    assert_eq!(again["deploymentId"], Value::Null);
    let taken = json!({"serviceName": "hello", "host": "shop.example.com", "path": "/hello"});
    world.post("/rules", taken).await.problem(409, "RuleConflict");
    let answer =
        world.post("/deploy", json!({"name": "hello", "host": "b.example.com"})).await.ok();
    assert_eq!(answer["url"], "http://b.example.com:8080/hello", "the path stays");
    for (key, value) in [
        ("host", "a.com:80"),
        ("host", "a b"),
        ("host", ""),
        ("host", "bücher.example"),
        ("path", "x"),
    ] {
        let mut wish = json!({"name": "hello"});
        wish[key] = value.into();
        world.post("/deploy", wish).await.problem(400, "InvalidParameter");
    }
}

#[tokio::test]
async fn a_health_check_is_changed_by_what_is_said_of_it() {
    let world = World::with_hello().await;
    let check = |world: &World| world.revision("hello").load_balancers[0].health_check.clone();
    world.post("/deploy", json!({"name": "hello", "healthPath": "/up"})).await.ok();
    assert_eq!(
        (check(&world).path.as_str(), check(&world).protocol),
        ("/up", HealthCheckProtocol::Http)
    );
    world.post("/deploy", json!({"name": "hello", "healthProtocol": "TCP"})).await.ok();
    assert_eq!(check(&world).protocol, HealthCheckProtocol::Tcp);
    let both = json!({"name": "hello", "healthProtocol": "TCP", "healthPath": "/up"});
    world.post("/deploy", both).await.problem(400, "InvalidParameter");
    let path = json!({"name": "hello", "healthPath": "up"});
    let answer = world.post("/deploy", path).await;
    assert!(answer.problem(400, "InvalidParameter").contains("begins with `/`"));
}

#[tokio::test]
async fn what_cannot_be_deployed_says_why() {
    let world = World::with_hello().await;
    let id = world.service("hello").id;
    let cases = [
        (json!({"name": "hello", "desiredCount": 5001}), 400, "InvalidParameter", "5000 at most"),
        (json!({"name": "hello", "memory": 1}), 400, "InvalidTaskDefinition", "6 MiB"),
        (
            json!({"name": "hello", "environment": [{"name": "A=B", "value": ""}]}),
            400,
            "InvalidTaskDefinition",
            "A=B",
        ),
        (
            json!({"name": "hello", "clusterName": "west"}),
            404,
            "ClusterNotFound",
            "berth cluster ls",
        ),
    ];
    for (wish, status, code, expected) in cases {
        let answer = world.post("/deploy", wish).await;
        let detail = answer.problem(status, code);
        assert!(detail.contains(expected), "{detail}");
    }
    world.apply(vec![ServiceChange::Drain(id).into()]).await;
    let answer = world.post("/deploy", json!({"name": "hello"})).await;
    assert!(answer.problem(409, "WrongStatus").contains("it was removed"));
}

#[tokio::test]
async fn an_image_is_not_deployed_over_several_containers() {
    let world = World::with_hello().await;
    let container = |name: &str| json!({"name": name, "image": "hello"});
    let definition =
        json!({"family": "pair", "containerDefinitions": [container("a"), container("b")]});
    world.post("/task-definitions", definition).await.ok();
    let wish = json!({"serviceName": "pair", "taskDefinition": "pair", "desiredCount": 1});
    world.post("/services", wish).await.ok();
    let answer = world.post("/deploy", json!({"name": "pair"})).await;
    assert!(
        answer.problem(409, "SeveralContainers").contains("berth deploy pair --task-definition")
    );
}

#[tokio::test]
async fn a_service_without_traffic_is_deployed_without_a_port() {
    let world = World::new().await;
    world.push("job", "latest", 1, &[]).await;
    let definition =
        json!({"family": "job", "containerDefinitions": [{"name": "main", "image": "job"}]});
    world.post("/task-definitions", definition).await.ok();
    let wish = json!({"serviceName": "job", "taskDefinition": "job", "desiredCount": 1});
    world.post("/services", wish).await.ok();
    let answer = world.post("/deploy", json!({"name": "job", "cpu": 512})).await.ok();
    assert_eq!((&answer["taskDefinition"], &answer["url"]), (&"job:2".into(), &Value::Null));
    assert_eq!(container(&world, "job").name.as_str(), "main");
    assert_eq!(container(&world, "job").memory, None, "no limit stays no limit");
}

#[tokio::test]
async fn a_registered_definition_of_several_containers_is_deployed_as_it_is() {
    let world = World::new().await;
    world.push("hello", "latest", 1, &[]).await;
    let containers = json!([
        {"name": "side", "image": "hello", "portMappings": [{"containerPort": 53, "protocol": "udp"}]},
        {"name": "web", "image": "hello", "portMappings": [{"containerPort": 80}, {"containerPort": 81}]}
    ]);
    let definition = json!({"family": "pair", "containerDefinitions": containers});
    world.post("/task-definitions", definition.clone()).await.ok();
    let wish = |more: Value| {
        let mut wish = json!({"name": "web", "taskDefinition": "pair"});
        wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        wish
    };
    let answer = world.post("/deploy", wish(json!({"port": 8080}))).await;
    assert!(answer.problem(400, "InvalidParameter").contains("maps no TCP port 8080"));
    let answer = world.post("/deploy", wish(json!({"cpu": 1}))).await;
    assert!(answer.problem(400, "InvalidParameter").contains("task-definition register"));
    let answer = world.post("/deploy", wish(json!({"taskDefinition": "other"}))).await;
    answer.problem(404, "TaskDefinitionNotFound");
    assert_eq!(world.state().services().count(), 0);

    let answer = world.post("/deploy", wish(json!({}))).await.ok();
    assert_eq!(inferred(&answer, "port").0, "80 of container web");
    assert_eq!(answer["url"], "http://web.localhost:8080");
    assert_eq!(world.revision("web").task_definition.to_string(), "pair:1");
    world.post("/task-definitions", definition).await.ok();
    let answer = world.post("/deploy", wish(json!({"desiredCount": 3}))).await.ok();
    assert_eq!(answer["taskDefinition"], "pair:2");
    assert!(answer["deploymentId"].is_string());
    assert_eq!(world.service("web").desired_count, 3);
}

#[tokio::test]
async fn a_definition_without_a_port_makes_a_service_without_traffic() {
    let world = World::new().await;
    world.push("hello", "latest", 1, &[]).await;
    let containers = json!([{"name": "worker", "image": "hello"}]);
    let definition = json!({"family": "worker", "containerDefinitions": containers});
    world.post("/task-definitions", definition).await.ok();
    let wish = json!({"name": "worker", "taskDefinition": "worker"});
    let answer = world.post("/deploy", wish).await.ok();
    assert_eq!(answer["url"], Value::Null);
    assert!(world.revision("worker").load_balancers.is_empty());
    assert_eq!((world.state().rules().count(), world.state().target_groups().count()), (0, 0));
}

#[tokio::test]
async fn what_is_not_said_reserves_nothing_and_what_was_said_can_be_taken_back() {
    let world = World::with_hello().await;
    let reserved = |world: &World| {
        let state = world.state();
        let definition = state.latest_task_definition(&"hello".parse().unwrap()).unwrap();
        let container = &definition.container_definitions[0];
        (container.cpu, container.memory, definition.resources())
    };
    assert_eq!(reserved(&world), (0, None, Resources::default()));
    let said = json!({"name": "hello", "cpu": 256, "memory": 128});
    let answer = world.post("/deploy", said).await.ok();
    assert_eq!(answer["revision"], 2);
    assert_eq!(reserved(&world), (256, Some(128), Resources::new(256, 128)));
    let kept = world.post("/deploy", json!({"name": "hello", "port": 81})).await.ok();
    let inferred: Vec<_> = kept["inferred"].as_array().unwrap().iter().collect();
    assert!(
        inferred.iter().any(|one| one["name"] == "cpu" && one["value"] == "256"),
        "{inferred:?}"
    );
    world.post("/deploy", json!({"name": "hello", "cpu": 0, "memory": 0})).await.ok();
    assert_eq!(reserved(&world), (0, None, Resources::default()));
    let never = json!({"name": "hello", "cpu": u64::MAX});
    world.post("/deploy", never).await.problem(400, "InvalidTaskDefinition");
    assert_eq!(reserved(&world), (0, None, Resources::default()), "it does not stick");
}

#[tokio::test]
async fn a_digest_that_the_registry_does_not_have_is_refused_before_anything_is_made() {
    let world = World::with_hello().await;
    let revision = world.state().revision();
    let image = format!("hello@{}", digest(9));
    let answer = world.post("/deploy", json!({"name": "hello", "image": image})).await;
    answer.problem(404, "ImageNotFound");
    assert_eq!(world.state().revision(), revision);
    let known = format!("hello@{}", digest(1));
    world.post("/deploy", json!({"name": "hello", "image": known})).await.ok();
}
