//! Task definitions: ECS's JSON as it is, and nothing silently dropped.

use super::*;

/// What `aws ecs describe-task-definition` prints.
const DESCRIBED: &str = r#"{
  "taskDefinition": {
    "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/web:7",
    "family": "web", "revision": 7, "status": "ACTIVE",
    "registeredAt": "2026-01-01T00:00:00Z", "registeredBy": "arn:aws:iam::1:user/x",
    "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
    "compatibilities": ["EC2", "FARGATE"], "requiresCompatibilities": ["FARGATE"],
    "executionRoleArn": "arn:aws:iam::1:role/x", "networkMode": "awsvpc",
    "runtimePlatform": {"cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX"},
    "cpu": "512", "memory": "1024", "volumes": [], "placementConstraints": [],
    "containerDefinitions": [{
      "name": "web", "image": "localhost:5000/hello:v1", "cpu": 256, "memoryReservation": 128,
      "portMappings": [{"containerPort": 80, "hostPort": 80, "protocol": "tcp", "appProtocol": "http"}],
      "essential": true, "environment": [{"name": "A", "value": "1"}], "environmentFiles": [],
      "mountPoints": [], "volumesFrom": [], "links": [], "secrets": [], "dnsServers": [],
      "dnsSearchDomains": [], "extraHosts": [], "dockerSecurityOptions": [], "dockerLabels": {},
      "ulimits": [], "systemControls": [], "resourceRequirements": [], "credentialSpecs": [],
      "privileged": false, "readonlyRootFilesystem": false, "interactive": false,
      "pseudoTerminal": null, "disableNetworking": false, "hostname": "", "startTimeout": 0,
      "stopTimeout": null, "entryPoint": null, "memory": null,
      "versionConsistency": "enabled", "logConfiguration": null,
      "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60}
    }]
  },
  "tags": []
}"#;

fn container() -> Value {
    json!({"name": "web", "image": "hello"})
}

fn definition(container: &Value) -> Value {
    json!({"family": "web", "containerDefinitions": [container]})
}

#[tokio::test]
async fn a_definition_as_ecs_describes_it_is_taken() {
    let world = World::new().await;
    let answer = world.ask("POST", "/task-definitions", DESCRIBED).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!(answer.body["taskDefinition"], "web:1");
    assert_eq!((&answer.body["cpu"], &answer.body["memory"]), (&512.into(), &1024.into()));
    let mapping = &answer.body["containerDefinitions"][0]["portMappings"][0];
    assert_eq!(mapping["hostPort"], 0, "in this mode it says nothing");

    let again = world.post("/task-definitions", answer.body.clone()).await.ok();
    assert_eq!(again["taskDefinition"], "web:2", "what Berth describes is taken too");
    assert_eq!(again["containerDefinitions"], answer.body["containerDefinitions"]);
}

#[tokio::test]
async fn what_is_not_supported_or_not_known_is_refused_by_name_and_place() {
    let world = World::new().await;
    let with = |key: &str, value: Value| {
        let mut container = container();
        container[key] = value;
        definition(&container)
    };
    let around = |key: &str, value: Value| {
        let mut definition = definition(&container());
        definition[key] = value;
        definition
    };
    let unsupported = [
        (
            with("mountPoints", json!([{"sourceVolume": "x"}])),
            "`containerDefinitions[0].mountPoints`",
        ),
        (with("privileged", json!(true)), "`containerDefinitions[0].privileged`"),
        (with("secrets", json!([{"name": "X", "valueFrom": "y"}])), "`environment`"),
        (with("logConfiguration", json!({"logDriver": "awslogs"})), "berth task logs"),
        (with("linuxParameters", json!({"initProcessEnabled": true})), "linuxParameters"),
        (
            with("portMappings", json!([{"containerPort": 1, "containerPortRange": "1-2"}])),
            "`containerDefinitions[0].portMappings[0].containerPortRange`",
        ),
        (around("volumes", json!([{"name": "data", "host": {"sourcePath": "/"}}])), "`volumes`"),
        (around("taskRoleArn", json!("arn:aws:iam::1:role/x")), "`taskRoleArn`"),
        (around("pidMode", json!("host")), "`pidMode`"),
        (around("networkMode", json!("host")), "`networkMode`: host"),
        (
            around("runtimePlatform", json!({"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})),
            "`runtimePlatform`",
        ),
    ];
    for (definition, expected) in unsupported {
        let answer = world.post("/task-definitions", definition).await;
        let detail = answer.problem(400, "Unsupported");
        assert!(detail.contains(expected), "{detail}");
    }
    let wrong = [
        (with("memori", json!(1)), "`containerDefinitions[0].memori`"),
        (with("memory", json!("lots")), "`containerDefinitions[0].memory`"),
        (with("image", json!("Not An Image")), "`containerDefinitions[0].image`"),
        (
            with("portMappings", json!([{"containerPort": 70_000}])),
            "`containerDefinitions[0].portMappings[0].containerPort`",
        ),
        (around("famili", json!("x")), "famili"),
        (around("family", json!("a/b")), "`family`"),
        (around("cpu", json!("half")), "`cpu` is `half`"),
        (around("requiresCompatibilities", json!(["MOON"])), "MOON"),
        (json!({"family": "web"}), "containerDefinitions"),
        (json!([]), "not a JSON object"),
    ];
    for (definition, expected) in wrong {
        let answer = world.post("/task-definitions", definition).await;
        let detail = answer.problem(400, "InvalidParameter");
        assert!(detail.contains(expected), "{detail}");
    }
    assert_eq!(world.state().task_definitions().count(), 0);
}

#[tokio::test]
async fn all_that_is_not_supported_is_named_at_once_and_left_out_where_that_is_wished() {
    let world = World::new().await;
    let mut container = container();
    container["logConfiguration"] = json!({"logDriver": "awslogs"});
    let mut wish = definition(&container);
    wish["tags"] = json!([{"key": "team", "value": "web"}]);
    let answer = world.post("/task-definitions", wish.clone()).await;
    let detail = answer.problem(400, "Unsupported");
    assert!(detail.contains("`tags`"), "{detail}");
    assert!(detail.contains("`containerDefinitions[0].logConfiguration`"), "{detail}");
    let answer = world.post("/task-definitions?leaveOut=true", wish).await.ok();
    let needed: Vec<_> = answer["leftOut"].as_array().unwrap().iter().collect();
    assert_eq!(needed.len(), 2);
    assert!(needed.iter().all(|one| one["neededToStart"] == false), "{needed:?}");
    assert_eq!(answer["taskDefinition"], "web:1");
    let mut unknown = definition(&container);
    unknown["famili"] = json!("x");
    let answer = world.post("/task-definitions?leaveOut=true", unknown).await;
    answer.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once_in_words_of_the_document() {
    let world = World::new().await;
    let wish = json!({
        "family": "a/b", "networkMode": "host", "cpu": "half", "requiresCompatibilities": ["MOON"],
        "containerDefinitions": [
            {
                "name": "app", "image": "1.dkr.ecr.eu-west-1.amazonaws.com/shop:v1.2", "cpu": "lots",
                "secrets": [{"name": "DB", "valueFrom": "x"}], "memori": 1, "command": "ls",
            },
            {"image": "public.ecr.aws/x/side:3", "mountPoints": [{"containerPath": "/data"}]},
        ],
    });
    let answer = world.post("/task-definitions", wish).await;
    let detail = answer.problem(400, "InvalidParameter");
    for expected in [
        "`family`: ",
        "`cpu` is `half`; write CPU units, as 256, or cores, as \"1 vCPU\"",
        "MOON",
        "`containerDefinitions[0].cpu`: text \"lots\" is not a whole number",
        "`containerDefinitions[0].memori`: unknown field",
        "`containerDefinitions[0].command`: text \"ls\" is not a list",
        "`containerDefinitions[1].name` is missing",
        "`networkMode`: host",
        "`containerDefinitions[0].secrets`: DB",
        "`containerDefinitions[1].mountPoints`: /data",
        "docker tag 1.dkr.ecr.eu-west-1.amazonaws.com/shop:v1.2 localhost:5000/shop:v1.2 && docker push \
         localhost:5000/shop:v1.2",
        "docker push localhost:5000/x/side:3",
    ] {
        assert!(detail.contains(expected), "{expected} in {detail}");
    }
    assert!(!detail.contains("u64") && !detail.contains("sequence"), "{detail}");
}

#[tokio::test]
async fn what_a_container_needs_to_start_is_told_apart_where_it_is_left_out() {
    let world = World::new().await;
    let mut container = container();
    container["secrets"] = json!([{"name": "DB_PASSWORD", "valueFrom": "arn"}]);
    container["mountPoints"] = json!([{"sourceVolume": "data", "containerPath": "/var/lib/app"}]);
    let mut wish = definition(&container);
    wish["volumes"] = json!([{"name": "data"}]);
    let answer = world.post("/task-definitions?leaveOut=true", wish).await.ok();
    let went: Vec<_> = answer["leftOut"].as_array().unwrap().iter().collect();
    let of = |index: usize| (&went[index]["holds"], &went[index]["neededToStart"]);
    assert_eq!(of(0), (&json!(["data"]), &json!(false)));
    assert_eq!(of(1), (&json!(["/var/lib/app"]), &json!(true)));
    assert_eq!(of(2), (&json!(["DB_PASSWORD"]), &json!(true)));
}

#[tokio::test]
async fn larger_units_nulls_and_a_byte_order_mark_are_taken_as_ecs_writes_them() {
    let world = World::new().await;
    let wish = "\u{feff}{\"family\": \"web\", \"cpu\": \"1 vCPU\", \"memory\": \"2 GB\", \"volumes\": null, \
        \"containerDefinitions\": [{\"name\": \"web\", \"image\": \"hello\", \"cpu\": null, \
        \"readonlyRootFilesystem\": null, \"essential\": null, \"environment\": null, \
        \"portMappings\": [{\"containerPort\": 80, \"hostPort\": null}]}]}";
    let answer = world.ask("POST", "/task-definitions", wish).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    assert_eq!((&answer.body["cpu"], &answer.body["memory"]), (&1024.into(), &2048.into()));
    assert_eq!(answer.body["containerDefinitions"][0]["essential"], true);
}

#[tokio::test]
async fn what_cannot_run_is_refused_with_the_rule() {
    let world = World::new().await;
    let two = json!({"family": "web", "containerDefinitions": [container(), container()]});
    let none = json!({"family": "web", "containerDefinitions": []});
    let with = |field: &str, value: Value| {
        let mut container = container();
        container[field] = value;
        definition(&container)
    };
    let sized = |cpu: u64, memory: u64| {
        let mut wish = with("cpu", json!(512));
        wish["containerDefinitions"][0]["memory"] = json!(256);
        (wish["cpu"], wish["memory"]) = (json!(cpu), json!(memory));
        wish
    };
    let long = json!([{"name": "LONG", "value": "x".repeat(131_072)}]);
    let mut many = with("cpu", json!(200_000));
    let other = json!({"name": "other", "image": "hello", "cpu": 200_000});
    many["containerDefinitions"].as_array_mut().unwrap().push(other);
    for (wish, expected) in [
        (two, "unique"),
        (none, "at least one"),
        (with("stopTimeout", json!(4000)), "3600 seconds at most"),
        (with("cpu", json!(u64::MAX)), "262144 CPU units at most"),
        (with("memory", json!(u64::MAX)), "16777216 MiB at most"),
        (with("environment", long), "the kernel starts no program"),
        (many, "`cpu` of the task is 400000"),
        (sized(256, 512), "`cpu` of the task is 512"),
        (sized(1024, 128), "`memory` of the task is 256"),
        (sized(0, 512), "use 1 to 262144"),
    ] {
        let answer = world.post("/task-definitions", wish).await;
        let detail = answer.problem(400, "InvalidTaskDefinition");
        assert!(detail.contains(expected), "{detail}");
    }
    let foreign = definition(&json!({"name": "web", "image": "docker.io/library/nginx"}));
    let answer = world.post("/task-definitions", foreign).await;
    assert!(
        answer
            .problem(400, "InvalidParameter")
            .contains("docker push localhost:5000/library/nginx")
    );
}

#[tokio::test]
async fn revisions_are_listed_and_shown_by_number_or_as_the_newest() {
    let world = World::new().await;
    for _ in 0..3 {
        world.post("/task-definitions", definition(&container())).await.ok();
    }
    let other = json!({"family": "other", "containerDefinitions": [container()]});
    world.post("/task-definitions", other).await.ok();
    let names = |list: &Value| -> Vec<String> {
        let list = list["items"].as_array().unwrap().iter();
        list.map(|one| one["taskDefinition"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        names(&world.get("/task-definitions").await.ok()),
        ["other:1", "web:1", "web:2", "web:3"]
    );
    assert_eq!(names(&world.get("/task-definitions?family=other").await.ok()), ["other:1"]);
    let show = async |name: &str| world.get(&format!("/task-definitions/{name}")).await;
    assert_eq!(show("web").await.ok()["revision"], 3);
    assert_eq!(show("web:2").await.ok()["revision"], 2);
    assert_eq!(show("web%3A1").await.ok()["revision"], 1);
    show("web:4").await.problem(404, "TaskDefinitionNotFound");
    show("web:0").await.problem(400, "InvalidParameter");
    show("nothing").await.problem(404, "TaskDefinitionNotFound");
}
