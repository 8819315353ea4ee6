//! The JSON of every answer and request: a sample of each reads into its type and is written again field by field as it
//! was. A field that is renamed, dropped or spelled otherwise fails here.

use std::fmt::Debug;

use api::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const ID: &str = "019ab0c55e987a3bb1c2d3e4f5a6b7c8";
const OTHER: &str = "019ab0c55e997a3bb1c2d3e4f5a6b7c8";
const AT: &str = "2026-11-23T08:15:34.120Z";

fn image() -> String {
    format!("team/hello@sha256:{}", "0f".repeat(32))
}

#[track_caller]
fn check<T: Serialize + DeserializeOwned + Debug + PartialEq>(sample: &Value) -> T {
    let value: T = serde_json::from_value(sample.clone()).expect("the sample reads");
    assert_eq!(serde_json::to_value(&value).expect("it is written"), *sample);
    value
}

fn instance() -> Value {
    json!({
        "instanceId": ID, "name": "host-1", "clusterName": "default", "status": "DRAINING", "lease": "SUSPECT",
        "agentConnected": true, "platform": "linux/amd64",
        "registeredResources": {"CPU": 4096, "MEMORY": 2048, "gpu": 1},
        "remainingResources": {"CPU": 0, "MEMORY": 12},
        "runningTasksCount": 2, "pendingTasksCount": 1, "advertisedAddress": "127.0.0.1", "allowedAddress": null, "subnet": "10.90.1.0/24",
        "agentVersion": "0.1.0", "dockerVersion": "20.10.24", "registeredAt": AT, "suspended": false,
        "availableMemoryMib": 512, "disk": {"totalMib": 1000, "freeMib": 40, "nearlyFull": true},
        "dividesLimits": null,
    })
}

fn router() -> Value {
    json!({
        "routerId": ID, "name": "host-1", "version": "0.1.0", "lease": "READY", "connected": true,
        "appliedRevision": 17, "registeredAt": AT,
    })
}

fn service() -> Value {
    json!({
        "serviceName": "hello", "serviceId": ID, "clusterName": "default", "status": "ACTIVE", "desiredCount": 3,
        "runningCount": 2, "pendingCount": 1, "revision": 4, "taskDefinition": "hello:3", "url": "http://hello.localhost:8080",
        "images": {"hello": {"image": "hello:v1", "digest": format!("sha256:{}", "0f".repeat(32))}},
        "problems": [
            {"kind": "NotPlaced", "reason": "no instance fits", "advice": null},
            {"kind": "Unhealthy", "tasks": 1, "check": "GET / answered 500"},
            {"kind": "CrashLoop", "exits": 4, "reason": "exited", "lastAt": AT},
            {"kind": "DeploymentFailed", "deployment": ID, "cause": {"kind": "PUSHED"}, "reason": "3 tasks failed", "rolledBack": true},
        ],
        "schedulingStrategy": "REPLICA",
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100, "maximumPercent": 200,
            "deploymentCircuitBreaker": {"enable": true, "rollback": false}, "bakeTimeInSeconds": 60,
        },
        "followTags": true, "placementFailure": "no instance fits: 1 is draining",
        "placementFailureCause": {
            "kind": "NoInstanceFits", "cluster": "default",
            "instances": [{"count": 1, "reason": {"kind": "Draining"}}],
        },
        "loadBalancers": [{"targetGroupName": "hello", "containerName": "hello", "containerPort": 8080}],
        "healthCheckGracePeriodSeconds": 0,
        "deployments": [{
            "id": OTHER, "status": "PRIMARY", "revision": 4, "taskDefinition": "hello:3", "images": {"hello": image()},
            "desiredCount": 3, "runningCount": 2, "pendingCount": 1, "failedTasks": 1, "crashedTasks": 2,
            "lastFailureAt": AT, "rolloutState": "IN_PROGRESS", "stage": {"kind": "REPLACED", "bakeUntil": AT},
            "cause": {"kind": "FAILURE", "of": ID},
            "rolloutStateReason": "tasks are being started", "failure": {"kind": "Superseded", "by": ID}, "rollbackOf": ID, "createdAt": AT,
            "createdBy": "user/admin", "updatedAt": AT,
        }],
        "provenRevision": {"revision": 3, "taskDefinition": "hello:2"},
        "events": [
            {"createdAt": AT, "message": "(service hello) created", "kind": "Created", "desiredCount": 3},
            {"createdAt": AT, "message": "(service hello) of a time before"},
        ],
        "createdAt": AT, "createdBy": "user/admin",
    })
}

fn task() -> Value {
    json!({
        "taskId": ID, "clusterName": "default", "taskDefinition": "hello:3", "group": "service:hello",
        "serviceName": "hello", "deploymentId": OTHER, "startedBy": "deployment", "instanceId": ID,
        "instanceName": "host-1", "address": "10.90.1.4", "lastStatus": "STOPPED", "desiredStatus": "STOPPED",
        "healthStatus": "UNKNOWN", "healthReason": null, "stopCode": "EssentialContainerExited", "stopCause": "ContainerExited",
        "stoppedReason": "container `hello` exited with code 1",
        "containers": [{
            "name": "hello", "image": image(), "runtimeId": "abc", "exitCode": 1, "reason": null, "restarts": 0,
            "networkBindings": [{"containerPort": 8080, "hostPort": 32768, "protocol": "tcp"}],
            "logTail": ["broken on purpose"],
        }],
        "createdAt": AT, "startedAt": AT, "healthyAt": null, "stoppingAt": AT, "stoppedAt": AT,
    })
}

#[test]
fn clusters_instances_and_routers() {
    check::<Cluster>(&json!({
        "clusterName": "default", "clusterId": ID, "activeServicesCount": 1, "runningTasksCount": 2,
        "pendingTasksCount": 3, "registeredInstancesCount": 4, "createdAt": AT,
    }));
    check::<Instance>(&instance());
    check::<Router>(&router());
    check::<Token>(&json!({
        "tokenId": ID, "kind": "registryLogin", "principal": "user/admin", "client": "docker/20.10.24",
        "address": "10.0.0.7", "lastUsedAt": AT, "createdAt": AT, "expiresAt": AT,
    }));
    check::<Token>(&json!({
        "tokenId": ID, "kind": "api", "principal": "user/admin", "client": null, "address": null,
        "lastUsedAt": null, "createdAt": AT, "expiresAt": null,
    }));
    check::<UpdateInstanceRequest>(&json!({"status": "ACTIVE"}));
    check::<UpdateInstanceRequest>(&json!({"allowedAddress": "10.0.0.7"}));
    check::<CreateJoinTokenRequest>(
        &json!({"role": "agent", "clusterName": "default", "expiresInSeconds": 60, "uses": 2}),
    );
    check::<JoinToken>(&json!({
        "token": "berth-join-v1.a.b.c", "role": "router", "uses": 1, "expiresAt": AT,
        "linkAddress": "127.0.0.1:7071",
        "command": "berth router --server 127.0.0.1:7071 --join-token berth-join-v1.a.b.c",
    }));
}

#[test]
fn services_and_deployments() {
    let known = check::<Service>(&service());
    assert_eq!(known.primary().unwrap().id.to_string(), OTHER);
    check::<CreateServiceRequest>(&json!({
        "serviceName": "hello", "clusterName": "default", "taskDefinition": "hello", "desiredCount": 2,
        "deploymentConfiguration": {
            "minimumHealthyPercent": 50, "maximumPercent": 150,
            "deploymentCircuitBreaker": {"enable": false, "rollback": false}, "bakeTimeInSeconds": 5,
        },
        "followTags": false,
    }));
    check::<UpdateServiceRequest>(&json!({}));
    check::<UpdateServiceRequest>(&json!({
        "desiredCount": 2, "taskDefinition": "hello:3", "followTags": false, "healthCheckGracePeriodSeconds": 7,
        "forceNewDeployment": true,
    }));
    check::<DeployRequest>(&json!({
        "name": "hello", "clusterName": "default", "image": "hello:v1", "port": 8080, "host": "hello.localhost",
        "path": "/", "healthPath": "/", "healthProtocol": "TCP", "environment": [{"name": "A", "value": "B"}],
        "unsetEnvironment": ["C"], "healthCheck": {"intervalSeconds": 3, "matcher": "200"}, "healthCheckGracePeriodSeconds": 9,
        "cpu": 256, "memory": 256, "desiredCount": 2, "command": ["serve"],
    }));
    check::<DeployResponse>(&json!({
        "serviceName": "hello", "clusterName": "default", "revision": 4, "deploymentId": null, "created": false,
        "taskDefinition": "hello:3", "image": image(), "url": null,
        "inferred": [{"name": "port", "value": "8080", "origin": "the image's EXPOSE"}],
    }));
}

#[test]
fn tasks() {
    check::<Task>(&task());
    check::<RunTaskRequest>(&json!({
        "taskDefinition": "job:1", "count": 2, "clusterName": "default", "startedBy": "me",
        "overrides": {"containerOverrides": [{"name": "main", "command": ["x"], "environment": []}]},
    }));
    check::<RunTaskResponse>(&json!({"tasks": [task()]}));
    check::<StopTaskRequest>(&json!({"reason": "enough of it"}));
}

#[test]
fn task_definitions_stay_what_ecs_calls_them() {
    check::<TaskDefinition>(&json!({
        "taskDefinition": "job:7", "family": "job", "revision": 7, "cpu": 128, "registeredAt": AT,
        "containerDefinitions": [{
            "name": "main", "image": "job:latest", "cpu": 0, "memory": 64, "essential": true,
            "portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "udp"}],
            "environment": [], "readonlyRootFilesystem": false,
            "restartPolicy": {"enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60},
        }],
        "leftOut": [
            {"field": "volumes", "holds": ["data"], "neededToStart": false},
            {"field": "pidMode", "holds": ["host"], "neededToStart": true, "instead": "none"},
        ],
    }));
    for amount in [json!("128"), json!(128)] {
        let sample = json!({"family": "job", "containerDefinitions": [], "cpu": amount});
        check::<RegisterTaskDefinitionRequest>(&sample);
    }
}

#[test]
fn routing() {
    check::<Listener>(&json!({"listenerId": ID, "name": "http", "createdAt": AT}));
    let rule = |action: Value| {
        json!({
            "ruleId": ID, "listenerName": "http", "priority": 7, "hostHeader": ["*.example.com"],
            "pathPattern": [], "action": action, "serviceName": null,
            "serviceRevision": null, "createdAt": AT,
        })
    };
    check::<Rule>(&rule(json!({"type": "forward", "targetGroupName": "hello"})));
    let fixed = json!({"statusCode": 503, "contentType": "text/plain", "messageBody": "soon"});
    let mut action = fixed.clone();
    action["type"] = "fixed-response".into();
    check::<Rule>(&rule(action));
    check::<CreateRuleRequest>(
        &json!({"host": "a", "fixedResponse": fixed, "clusterName": "default"}),
    );
    check::<TargetGroup>(&json!({
        "targetGroupId": ID, "targetGroupName": "hello", "clusterName": "default",
        "healthCheck": {
            "protocol": "HTTP", "path": "/", "intervalSeconds": 5, "timeoutSeconds": 2, "healthyThreshold": 2,
            "unhealthyThreshold": 3, "matcher": "200-399",
        },
        "deregistrationDelaySeconds": 30,
        "targets": [{"taskId": ID, "address": "10.90.1.4:8080", "health": "unhealthy", "reason": "500", "inFlight": 1}],
    }));
}

#[test]
fn images() {
    check::<Repository>(&json!({"repositoryName": "team/hello", "tagsCount": 2, "createdAt": AT}));
    check::<Tag>(&json!({
        "repositoryName": "team/hello", "tag": "latest", "digest": format!("sha256:{}", "0f".repeat(32)),
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "sizeBytes": 1000,
        "platforms": ["linux/amd64"], "exposedPorts": [80, 8080], "pushedAt": AT, "pushedBy": "user/admin",
    }));
    check::<LastImageVerification>(&json!({"verification": null}));
    check::<LastImageVerification>(&json!({"verification": {
        "startedAt": AT, "endedAt": null, "blobsCount": 9, "checkedCount": 3, "checkedBytes": 1000, "damagedCount": 1,
        "damaged": [{"digest": format!("sha256:{}", "0f".repeat(32)), "repositories": ["team/hello"]}],
    }}));
}

#[test]
fn the_whole() {
    check::<Status>(&json!({
        "version": "0.1.0", "installation": ID, "epoch": 3, "revision": 17, "ready": true,
        "registryAddress": "localhost:5000", "routerUrl": null, "linkAddress": "127.0.0.1:7071",
        "registryDisk": {"totalMib": 1000, "freeMib": 40, "lowWaterMib": 50, "isLow": true},
        "instances": [instance()], "routers": [router()], "services": [service()],
    }));
    check::<Remaining>(&json!({"services": 1, "tasks": 2}));
    check::<Done>(&json!({}));
    check::<Page<Done>>(&json!({"items": [{}], "nextToken": "abc"}));
    check::<Page<Done>>(&json!({"items": []}));
    check::<Problem>(&json!({
        "type": "about:blank", "title": "Not Found", "status": 404, "code": "ServiceNotFound",
        "detail": "service `x` does not exist",
    }));
}

#[test]
fn queries() {
    check::<PageQuery>(&json!({"limit": 1000, "nextToken": "abc"}));
    check::<ListTasksQuery>(&json!({
        "cluster": "default", "serviceName": "hello", "desiredStatus": "STOPPED", "limit": 100,
    }));
    check::<ListServicesQuery>(&json!({"cluster": "default", "limit": 1}));
    check::<ListEventsQuery>(&json!({"cluster": "default", "limit": 1}));
    check::<ListTagsQuery>(&json!({"repository": "team/hello", "limit": 1}));
    check::<ListTaskDefinitionsQuery>(&json!({"family": "job", "limit": 1}));
    check::<RegisterTaskDefinitionQuery>(&json!({"leaveOut": true}));
    check::<LogsQuery>(&json!({"tail": 3}));
    check::<LogsQuery>(&json!({"follow": true, "container": "main"}));
}

#[test]
fn a_request_with_a_field_that_nobody_knows_is_refused_and_an_answer_is_not() {
    assert!(serde_json::from_value::<UpdateServiceRequest>(json!({"desired": 1})).is_err());
    assert!(
        serde_json::from_value::<Remaining>(json!({"services": 1, "tasks": 2, "x": 3})).is_ok()
    );
}
