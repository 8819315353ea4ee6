//! One ARN for each kind of entity, as AWS writes it, and back.

use super::*;
use crate::id::{ClusterId, ServiceId};
use crate::resources::Resources;
use crate::routing::{Action, Conditions};
use crate::time::Timestamp;
use crate::{HostIdentity, InstanceStatus, NewService, NewTask, Platform, RolloutState};

const NOW: Timestamp = Timestamp::from_millis(1_795_421_734_120);

fn name<T: FromStr<Err: fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn account() -> InstallationId {
    InstallationId::new(NOW, [1; 10])
}

/// The ARN of the entity is this, with REGION:ACCOUNT and each id written as `#`, and it reads back as what it was.
#[track_caller]
fn check(entity: impl Into<ArnResource>, ids: &[&dyn fmt::Display], expected: &str) {
    let arn = Arn { region: name("local"), account: account(), resource: entity.into() };
    let text = arn.to_string();
    let mut shown = text.replace(&format!("local:{}", account()), "HOME");
    for id in ids {
        shown = shown.replacen(&id.to_string(), "#", 1);
    }
    assert_eq!(shown, expected);
    assert_eq!(text.parse(), Ok(arn.clone()));
    assert_eq!(serde_json::from_str::<Arn>(&serde_json::to_string(&arn).unwrap()).unwrap(), arn);
}

fn service() -> Service {
    let id = ServiceId::new(NOW, [2; 10]);
    NewService::new(id, name("default"), name("hello"), NOW).into()
}

fn listener() -> Listener {
    Listener { id: ListenerId::new(NOW, [3; 10]), name: "http".to_owned(), created_at: NOW }
}

#[test]
fn every_entity_of_ecs_has_its_arn() {
    let id = ClusterId::new(NOW, [4; 10]);
    let cluster = Cluster { id, name: name("default"), created_at: NOW };
    check(&cluster, &[], "arn:aws:ecs:HOME:cluster/default");

    let definition: TaskDefinition = serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": 3, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{"name": "web", "image": "hello:latest"}]
    }))
    .unwrap();
    check(&definition, &[], "arn:aws:ecs:HOME:task-definition/hello:3");

    check(&service(), &[], "arn:aws:ecs:HOME:service/default/hello");
    let id = TaskId::new(NOW, [5; 10]);
    let task = Task::from(NewTask::new(id, name("default"), name("hello:3"), NOW));
    check(&task, &[&task.id], "arn:aws:ecs:HOME:task/default/#");

    let deployment = Deployment {
        id: DeploymentId::new(NOW, [6; 10]),
        service: service().id,
        revision: crate::ServiceRevisionId::new(NOW, [6; 10]),
        replaces: Vec::new(),
        stage: crate::DeploymentStage::Serving,
        cause: crate::DeploymentCause::Requested,
        crashed_tasks: 0,
        created_by: String::new(),
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: String::new(),
        failure: None,
        failed_tasks: 0,
        last_failure_at: None,
        last_crash: None,
        created_at: NOW,
        updated_at: NOW,
    };
    let both = (&service(), &deployment);
    check(both, &[&deployment.id], "arn:aws:ecs:HOME:service-deployment/default/hello/#");
}

#[test]
fn an_instance_is_a_container_instance_of_ecs() {
    let instance = Instance {
        id: InstanceId::new(NOW, [7; 10]),
        cluster: name("default"),
        name: "host".to_owned(),
        status: InstanceStatus::Active,
        capacity: Resources::new(1024, 1024),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: None,
        last_address: 0,
        last_port: 0,
        attributes: std::collections::BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: String::new(),
        docker_version: String::new(),
        divides_limits: None,
        registered_at: NOW,
    };
    check(&instance, &[&instance.id], "arn:aws:ecs:HOME:container-instance/default/#");
}

#[test]
fn repositories_have_arns_of_ecr_and_routing_of_elb() {
    let repository = Repository { name: name("team/hello"), created_at: NOW };
    check(&repository, &[], "arn:aws:ecr:HOME:repository/team/hello");

    let elb = "arn:aws:elasticloadbalancing:HOME:";
    let account = account();
    let balancer = ArnResource::LoadBalancer;
    check(balancer, &[&account], &format!("{elb}loadbalancer/app/berth/#"));
    let listener = listener();
    let ids: [&dyn fmt::Display; 2] = [&account, &listener.id];
    check(&listener, &ids, &format!("{elb}listener/app/berth/#/#"));
    let group = TargetGroup {
        id: TargetGroupId::new(NOW, [8; 10]),
        cluster: name("default"),
        name: name("hello"),
        created_at: NOW,
    };
    check(&group, &[&group.id], &format!("{elb}targetgroup/hello/#"));
    let rule = Rule {
        id: RuleId::new(NOW, [9; 10]),
        listener: listener.id,
        priority: None,
        conditions: Conditions::default(),
        action: Action::Forward { target_group: group.id },
        service: None,
        created_at: NOW,
    };
    let ids: [&dyn fmt::Display; 3] = [&account, &listener.id, &rule.id];
    check(&rule, &ids, &format!("{elb}listener-rule/app/berth/#/#/#"));
}

#[test]
fn what_is_no_arn_of_an_entity_is_refused() {
    let own = account();
    let other = InstallationId::new(NOW, [2; 10]);
    let id = TaskId::new(NOW, [5; 10]);
    let texts = [
        String::new(),
        "hello".to_owned(),
        "arn:aws:ecs:local".to_owned(),
        "arn:aws:ecs:local:123456789012:cluster/default".to_owned(),
        format!("arn:aws:ecs:Local:{own}:cluster/default"),
        format!("arn:aws:ecs::{own}:cluster/default"),
        format!("arn:aws:ecs:local:{own}:cluster"),
        format!("arn:aws:ecs:local:{own}:cluster/a/b"),
        format!("arn:aws:ecs:local:{own}:fleet/default"),
        format!("arn:aws:ecs:local:{own}:task/default/x"),
        format!("arn:aws:ecr:local:{own}:task/default/{id}"),
        format!("arn:aws:ecs:local:{own}:repository/hello"),
        format!("arn:aws:ecr:local:{own}:repository/Hello"),
        format!("arn:aws:ecs:local:{own}:service/default/hello/x"),
        format!("arn:aws:elasticloadbalancing:local:{own}:loadbalancer/app/berth/{other}"),
        format!("arn:aws:elasticloadbalancing:local:{own}:loadbalancer/net/berth/{own}"),
        format!("arn:aws:elasticloadbalancing:local:{own}:listener/app/other/{own}/{id}"),
    ];
    for text in texts {
        assert!(text.parse::<Arn>().is_err(), "{text}");
    }
}
