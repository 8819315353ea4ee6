//! A small world: one cluster, one instance, one service behind a target group.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use crate::change::{InstanceReport, TaskReport};
use crate::*;

pub(in crate::state) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

pub(in crate::state) fn seed(n: u8) -> [u8; 10] {
    [n; 10]
}

pub(in crate::state) fn digest(n: u8) -> Digest {
    Digest::Sha256([n; 32])
}

pub(in crate::state) fn image(n: u8) -> PinnedImage {
    PinnedImage { repository: "hello".parse().unwrap(), digest: digest(n) }
}

pub(in crate::state) fn definition(revision: u32) -> TaskDefinition {
    serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": revision, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{
            "name": "web", "image": "hello:latest", "cpu": 256, "memory": 512,
            "portMappings": [{"containerPort": 8080}]
        }]
    }))
    .unwrap()
}

pub(in crate::state) fn cluster(n: u8) -> Cluster {
    let name = if n == 0 { "default".to_owned() } else { format!("cluster-{n}") };
    let name = name.parse().unwrap();
    Cluster { id: ClusterId::new(at(1), seed(90 + n)), name, created_at: at(1) }
}

pub(in crate::state) fn router(n: u8) -> Router {
    Router {
        id: RouterId::new(at(1), seed(n)),
        name: format!("router-{n}"),
        version: "0.1.0".to_owned(),
        registered_at: at(1),
    }
}

pub(in crate::state) fn credential(n: u8) -> Credential {
    Credential {
        id: CredentialId::new(at(1), seed(n)),
        kind: CredentialKind::Token,
        principal: Principal::User("admin".to_owned()),
        hash: digest(n),
        created_at: at(1),
        expires_at: None,
        last_use: None,
    }
}

/// Good once, until 200.
pub(in crate::state) fn join_token(n: u8) -> JoinToken {
    JoinToken {
        id: JoinTokenId::new(at(1), seed(n)),
        role: PeerRole::Agent,
        cluster: "default".parse().unwrap(),
        hash: digest(n),
        uses_left: 1,
        created_at: at(1),
        expires_at: at(200),
    }
}

pub(in crate::state) fn repository() -> Repository {
    Repository { name: "team/hello".parse().unwrap(), created_at: at(1) }
}

pub(in crate::state) fn tag(n: u8) -> Tag {
    Tag {
        repository: repository().name,
        name: format!("v{n}").parse().unwrap(),
        digest: digest(n),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size_bytes: 1_024,
        platforms: [Platform::new("linux", "amd64")].into(),
        exposed_ports: [8080].into(),
        pushed_at: at(2),
        pushed_by: "user/admin".to_owned(),
    }
}

pub(in crate::state) fn listener(n: u8) -> Listener {
    let name = if n == 4 { "http".to_owned() } else { format!("http-{n}") };
    Listener { id: ListenerId::new(at(1), seed(n)), name, created_at: at(1) }
}

pub(in crate::state) fn instance_report(instance: &Instance) -> InstanceReport {
    InstanceReport {
        instance: instance.id,
        name: instance.name.clone(),
        capacity: instance.capacity.clone(),
        platform: instance.platform.clone(),
        host: instance.host.clone(),
        advertised_address: instance.advertised_address,
        agent_version: instance.agent_version.clone(),
        docker_version: instance.docker_version.clone(),
        divides_limits: instance.divides_limits.clone(),
    }
}

pub(in crate::state) fn instance() -> Instance {
    Instance {
        id: InstanceId::new(at(1), seed(1)),
        cluster: "default".parse().unwrap(),
        name: "host".to_owned(),
        status: InstanceStatus::Active,
        capacity: Resources::new(1024, 1024),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: Some("10.90.3.0/24".parse().unwrap()),
        last_address: 0,
        last_port: 0,
        attributes: BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: "0".to_owned(),
        docker_version: "0".to_owned(),
        divides_limits: None,
        registered_at: at(1),
    }
}

pub(in crate::state) fn group() -> TargetGroup {
    TargetGroup {
        id: TargetGroupId::new(at(1), seed(2)),
        cluster: "default".parse().unwrap(),
        name: "hello".parse().unwrap(),
        created_at: at(1),
    }
}

pub(in crate::state) fn service() -> NewService {
    NewService {
        desired_count: 2,
        created_by: "user/admin".to_owned(),
        ..NewService::new(
            ServiceId::new(at(1), seed(3)),
            "default".parse().unwrap(),
            "hello".parse().unwrap(),
            at(1),
        )
    }
}

pub(in crate::state) fn revision_id(n: u8) -> ServiceRevisionId {
    ServiceRevisionId::new(at(i64::from(n)), seed(n))
}

/// The revision `n`, reached at a host of its own.
pub(in crate::state) fn revision(n: u8, digest: u8) -> ServiceRevision {
    ServiceRevision {
        id: revision_id(n),
        service: service().id,
        number: n.into(),
        base: (n > 1).then(|| revision_id(n - 1)),
        origin: RevisionOrigin::Requested,
        task_definition: definition(1).key(),
        images: BTreeMap::from([("web".parse().unwrap(), image(digest))]),
        load_balancers: vec![LoadBalancer {
            target_group: group().id,
            container_name: "web".parse().unwrap(),
            container_port: 8080,
            health_check: HealthCheck::default(),
            deregistration_delay_seconds: 30,
            routes: vec![Route {
                id: RuleId::new(at(2), seed(n)),
                listener: listener(4).id,
                conditions: Conditions::host_and_path(&host(n), "/"),
            }],
        }],
        created_at: at(1),
        created_by: "user/admin".to_owned(),
    }
}

pub(in crate::state) fn host(n: u8) -> String {
    format!("host-{n}.localhost")
}

pub(in crate::state) fn rule(n: u8) -> Rule {
    Rule {
        id: RuleId::new(at(1), seed(n)),
        listener: listener(4).id,
        priority: None,
        conditions: Conditions::host_and_path("hello.localhost", "/"),
        action: Action::Forward { target_group: group().id },
        service: Some(service().id),
        created_at: at(1),
    }
}

/// A deployment of the revision `n`.
pub(in crate::state) fn deployment(n: u8, digest: u8) -> NewDeployment {
    NewDeployment {
        id: DeploymentId::new(at(i64::from(n)), seed(n)),
        service: service().id,
        revision: RolledOut::New(revision(n, digest)),
        cause: DeploymentCause::Requested,
        created_at: at(1),
        created_by: "user/admin".to_owned(),
    }
}

/// The deployment `n`, which goes back to revision `to`.
pub(in crate::state) fn back(n: u8, to: u8) -> NewDeployment {
    NewDeployment {
        revision: RolledOut::Known(revision_id(to)),
        cause: DeploymentCause::Rollback { from: Some(deployment(n - 1, 1).id) },
        ..deployment(n, 1)
    }
}

pub(in crate::state) fn placement(n: u8) -> Placement {
    Placement {
        instance: instance().id,
        address: Ipv4Addr::new(10, 90, 3, 10 + n),
        ports: vec![PortBinding {
            container: "web".parse().unwrap(),
            container_port: 8080,
            protocol: TransportProtocol::Tcp,
            host_port: 20_000 + u16::from(n),
        }],
    }
}

/// One that the scheduler has yet to place.
pub(in crate::state) fn unplaced(n: u8) -> NewTask {
    NewTask { placement: None, ..task(n) }
}

pub(in crate::state) fn task(n: u8) -> NewTask {
    NewTask {
        service: Some((service().id, deployment(1, 1).id)),
        started_by: "deployment".to_owned(),
        resources: definition(1).resources(),
        placement: Some(placement(n)),
        images: vec![("web".parse().unwrap(), image(1))],
        ..NewTask::new(
            TaskId::new(at(i64::from(n)), seed(n)),
            "default".parse().unwrap(),
            definition(1).key(),
            at(1),
        )
    }
}

pub(in crate::state) fn report(n: u8, status: TaskStatus) -> Change {
    TaskChange::Report(TaskReport {
        instance: instance().id,
        task: task(n).id,
        status,
        stopped: None,
        containers: Vec::new(),
    })
    .into()
}

pub(in crate::state) fn world() -> State {
    let mut state = State::default();
    let changes = [
        Change::Install(InstallationId::new(at(1), seed(8))),
        ClusterChange::Create(cluster(0)).into(),
        RoutingChange::CreateListener(listener(4)).into(),
        InstanceChange::Register(instance()).into(),
        TaskDefinitionChange::Register(definition(1)).into(),
        RoutingChange::CreateTargetGroup(group()).into(),
        ServiceChange::Create(service()).into(),
        RoutingChange::CreateRule(rule(5)).into(),
        DeploymentChange::Start(deployment(1, 1)).into(),
    ];
    state.apply_all(&changes, at(1)).unwrap();
    state
}

/// A world with an entity of every kind.
pub(in crate::state) fn full_world() -> State {
    let mut state = world();
    let changes = [
        RouterChange::Register(router(1)).into(),
        AccessChange::CreateCredential(credential(1)).into(),
        AccessChange::CreateJoinToken(join_token(1)).into(),
        RepositoryChange::Create(repository()).into(),
        RepositoryChange::PutTag(tag(1)).into(),
        TaskChange::Create(task(1)).into(),
        TaskChange::Create(unplaced(2)).into(),
    ];
    state.apply_all(&changes, at(1)).unwrap();
    state
}
