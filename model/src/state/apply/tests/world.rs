//! A small world: one cluster, one instance, one service behind a target group.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::change::TaskReport;
use crate::*;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(super) fn seed(n: u8) -> [u8; 10] {
    [n; 10]
}

pub(super) fn digest(n: u8) -> Digest {
    Digest::Sha256([n; 32])
}

pub(super) fn image(n: u8) -> PinnedImage {
    PinnedImage { repository: "hello".parse().unwrap(), digest: digest(n) }
}

pub(super) fn definition(revision: u32) -> TaskDefinition {
    serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": revision, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{
            "name": "web", "image": "hello:latest", "cpu": 256, "memory": 512,
            "portMappings": [{"containerPort": 8080}]
        }]
    }))
    .unwrap()
}

pub(super) fn instance() -> Instance {
    Instance {
        id: InstanceId::new(at(1), seed(1)),
        cluster: "default".parse().unwrap(),
        name: "host".to_owned(),
        status: InstanceStatus::Active,
        capacity: Resources::new(1024, 1024),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        subnet: Some("10.90.3.0/24".parse().unwrap()),
        last_address: 0,
        last_port: 0,
        attributes: BTreeMap::new(),
        agent_version: "0".to_owned(),
        docker_version: "0".to_owned(),
        registered_at: at(1),
    }
}

pub(super) fn group() -> TargetGroup {
    TargetGroup {
        id: TargetGroupId::new(at(1), seed(2)),
        cluster: "default".parse().unwrap(),
        name: "hello".parse().unwrap(),
        health_check: HealthCheck::default(),
        deregistration_delay_seconds: 30,
        created_at: at(1),
    }
}

pub(super) fn service() -> Service {
    Service {
        desired_count: 2,
        load_balancers: vec![LoadBalancer {
            target_group: group().id,
            container_name: "web".parse().unwrap(),
            container_port: 8080,
        }],
        created_by: "user/admin".to_owned(),
        ..Service::new(
            ServiceId::new(at(1), seed(3)),
            "default".parse().unwrap(),
            "hello".parse().unwrap(),
            definition(1).key(),
            at(1),
        )
    }
}

pub(super) fn rule(n: u8) -> Rule {
    Rule {
        id: RuleId::new(at(1), seed(n)),
        listener: ListenerId::new(at(1), seed(4)),
        priority: None,
        conditions: Conditions::host_and_path("hello.localhost", "/"),
        action: Action::Forward { target_group: group().id },
        service: Some(service().id),
        created_at: at(1),
    }
}

pub(super) fn deployment(n: u8, digest: u8) -> Deployment {
    Deployment {
        id: DeploymentId::new(at(i64::from(n)), seed(n)),
        service: service().id,
        task_definition: definition(1).key(),
        images: BTreeMap::from([("web".parse().unwrap(), image(digest))]),
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: String::new(),
        failure: None,
        rollback_of: None,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: at(1),
        updated_at: at(1),
    }
}

pub(super) fn task(n: u8) -> Task {
    Task {
        service: Some(service().id),
        deployment: Some(deployment(1, 1).id),
        started_by: "deployment".to_owned(),
        resources: definition(1).resources(),
        placement: Some(Placement {
            instance: instance().id,
            address: Ipv4Addr::new(10, 90, 3, 10 + n),
            ports: vec![PortBinding {
                container: "web".parse().unwrap(),
                container_port: 8080,
                protocol: TransportProtocol::Tcp,
                host_port: 20_000 + u16::from(n),
            }],
        }),
        containers: vec![TaskContainer::new("web".parse().unwrap(), image(1))],
        last_status: TaskStatus::Pending,
        ..Task::new(
            TaskId::new(at(i64::from(n)), seed(n)),
            "default".parse().unwrap(),
            definition(1).key(),
            at(1),
        )
    }
}

pub(super) fn report(n: u8, status: TaskStatus) -> Change {
    TaskChange::Report(TaskReport {
        instance: instance().id,
        task: task(n).id,
        status,
        stopped: None,
        containers: Vec::new(),
    })
    .into()
}

pub(super) fn world() -> State {
    let mut state = State::default();
    let listener = Listener { id: rule(5).listener, name: "http".to_owned(), created_at: at(1) };
    let cluster = Cluster {
        id: ClusterId::new(at(1), seed(9)),
        name: "default".parse().unwrap(),
        created_at: at(1),
    };
    let changes = [
        Change::Install(InstallationId::new(at(1), seed(8))),
        ClusterChange::Create(cluster).into(),
        RoutingChange::CreateListener(listener).into(),
        InstanceChange::Register(instance()).into(),
        TaskDefinitionChange::Register(definition(1)).into(),
        RoutingChange::PutTargetGroup(group()).into(),
        ServiceChange::Create(service()).into(),
        RoutingChange::CreateRule(rule(5)).into(),
        DeploymentChange::Start(deployment(1, 1)).into(),
    ];
    state.apply_all(&changes, at(1)).unwrap();
    state
}
