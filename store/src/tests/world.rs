//! Entities for tests of the store, by small numbers so that random Changes meet each other.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use model::change::{ServiceUpdate, TaskReport};
use model::*;
use proptest::prelude::*;

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn seed(n: u8) -> [u8; 10] {
    [n; 10]
}

fn digest(n: u8) -> Digest {
    Digest::Sha256([n; 32])
}

fn cluster(n: u8) -> ClusterName {
    format!("cluster-{n}").parse().expect("a name of letters, a hyphen and a digit")
}

fn definition(revision: u32) -> TaskDefinition {
    serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": revision, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{"name": "web", "image": "hello:latest", "cpu": 256, "memory": 512}]
    }))
    .expect("a task definition as people write it")
}

fn instance_id(n: u8) -> InstanceId {
    InstanceId::new(at(1), seed(n))
}

fn instance(n: u8) -> Instance {
    Instance {
        id: instance_id(n),
        cluster: cluster(0),
        name: format!("host-{n}"),
        status: InstanceStatus::Active,
        capacity: Resources::new(4096, 4096),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: format!("10.90.{n}.0/24").parse().ok(),
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

fn router(n: u8, version: u8) -> Router {
    Router {
        id: RouterId::new(at(1), seed(n)),
        name: format!("router-{n}"),
        version: version.to_string(),
        registered_at: at(1),
    }
}

fn credential(n: u8) -> Credential {
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

fn join_token(n: u8) -> JoinToken {
    JoinToken {
        id: JoinTokenId::new(at(1), seed(n)),
        role: PeerRole::Agent,
        cluster: cluster(0),
        hash: digest(n),
        uses_left: 2,
        created_at: at(1),
        expires_at: at(1_000_000),
    }
}

pub(crate) fn service_id(n: u8) -> ServiceId {
    ServiceId::new(at(1), seed(n))
}

fn service(n: u8) -> NewService {
    NewService {
        created_by: "user/admin".to_owned(),
        ..NewService::new(
            service_id(n),
            cluster(0),
            format!("service-{n}").parse().expect("a name of letters, a hyphen and a digit"),
            at(1),
        )
    }
}

fn image(n: u8) -> PinnedImage {
    let repository = "hello".parse().expect("a repository name of letters");
    PinnedImage { repository, digest: digest(n) }
}

fn deployment_id(n: u8) -> DeploymentId {
    DeploymentId::new(at(1), seed(n))
}

/// Of the first revision of a service, or of one that is not the next.
fn deployment(n: u8, service: u8) -> NewDeployment {
    NewDeployment {
        id: deployment_id(n),
        service: service_id(service),
        revision: RolledOut::New(ServiceRevision {
            id: ServiceRevisionId::new(at(1), seed(n)),
            service: service_id(service),
            number: 1 + u32::from(n) / 2,
            base: None,
            origin: RevisionOrigin::Requested,
            task_definition: definition(1).key(),
            images: BTreeMap::from([("web".parse().expect("a name of letters"), image(n))]),
            load_balancers: Vec::new(),
            created_at: at(1),
            created_by: "user/admin".to_owned(),
        }),
        cause: DeploymentCause::Requested,
        created_at: at(1),
        created_by: "user/admin".to_owned(),
    }
}

pub(crate) fn task_id(n: u8) -> TaskId {
    TaskId::new(at(1), seed(n))
}

/// Placed on an instance, or PROVISIONING.
pub(crate) fn task(n: u8, on: Option<u8>) -> NewTask {
    NewTask {
        started_by: "user/admin".to_owned(),
        resources: definition(1).resources(),
        placement: on.map(|on| Placement {
            instance: instance_id(on),
            address: Ipv4Addr::new(10, 90, on, 10 + n),
            ports: Vec::new(),
        }),
        images: vec![("web".parse().expect("a name of letters"), image(1))],
        ..NewTask::new(task_id(n), cluster(0), definition(1).key(), at(1))
    }
}

fn report(n: u8, on: u8, status: TaskStatus) -> Change {
    TaskChange::Report(TaskReport {
        instance: instance_id(on),
        task: task_id(n),
        status,
        stopped: None,
        containers: Vec::new(),
    })
    .into()
}

pub(crate) fn tag(repository: &str, n: u8) -> Tag {
    Tag {
        repository: repository.parse().expect("a repository name"),
        name: "latest".parse().expect("a tag of letters"),
        digest: digest(n),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size_bytes: 1,
        platforms: [Platform::new("linux", "amd64")].into(),
        exposed_ports: [8080].into(),
        pushed_at: at(1),
        pushed_by: "user/admin".to_owned(),
    }
}

pub(crate) fn create_repository(name: &str) -> Change {
    let name = name.parse().expect("a repository name");
    RepositoryChange::Create(Repository { name, created_at: at(1) }).into()
}

/// One row of history each time, as long as the count is another one.
pub(crate) fn scale(n: u8, desired_count: u32) -> Change {
    ServiceChange::Update(ServiceUpdate {
        service: Some(service_id(n)),
        desired_count: Some(desired_count),
        ..ServiceUpdate::default()
    })
    .into()
}

/// What random Changes need to find something.
pub(crate) fn world() -> Vec<Change> {
    let first = Cluster { id: ClusterId::new(at(1), seed(0)), name: cluster(0), created_at: at(1) };
    vec![
        Change::Install(InstallationId::new(at(1), seed(1))),
        ClusterChange::Create(first).into(),
        TaskDefinitionChange::Register(definition(1)).into(),
        InstanceChange::Register(instance(0)).into(),
        ServiceChange::Create(service(0)).into(),
        ServiceChange::Create(service(1)).into(),
        create_repository("hello"),
    ]
}

/// Most fit, and some do not.
pub(crate) fn changes() -> impl Strategy<Value = Change> {
    let n = || 0_u8..4;
    let stop = |n| {
        Change::from(TaskChange::Stop {
            task: task_id(n),
            stopped: Stopped::new(StopCause::UserRequest, "by hand"),
        })
    };
    let status = prop::sample::select(vec![
        TaskStatus::Activating,
        TaskStatus::Running,
        TaskStatus::Stopping,
        TaskStatus::Stopped,
    ]);
    prop_oneof![
        n().prop_map(|n| Change::from(InstanceChange::Register(instance(n)))),
        n().prop_map(|n| Change::from(InstanceChange::Remove(instance_id(n)))),
        n().prop_map(|n| Change::from(InstanceChange::SetStatus {
            instance: instance_id(n),
            status: InstanceStatus::Draining,
        })),
        (n(), n())
            .prop_map(|(n, version)| Change::from(RouterChange::Register(router(n, version)))),
        n().prop_map(|n| Change::from(RouterChange::Remove(router(n, 0).id))),
        n().prop_map(|n| Change::from(AccessChange::CreateCredential(credential(n)))),
        n().prop_map(|n| Change::from(AccessChange::RevokeCredential(credential(n).id))),
        n().prop_map(|n| Change::from(AccessChange::CreateJoinToken(join_token(n)))),
        n().prop_map(|n| Change::from(AccessChange::UseJoinToken(join_token(n).id))),
        (1_u32..6).prop_map(|n| Change::from(TaskDefinitionChange::Register(definition(n)))),
        n().prop_map(|n| Change::from(ServiceChange::Create(service(n)))),
        (n(), 0_u32..4).prop_map(|(n, count)| scale(n, count)),
        n().prop_map(|n| Change::from(ServiceChange::Drain(service_id(n)))),
        n().prop_map(|n| Change::from(ServiceChange::Remove(service_id(n)))),
        (n(), 0_u8..3).prop_map(|(n, of)| Change::from(DeploymentChange::Start(deployment(n, of)))),
        n().prop_map(|n| Change::from(DeploymentChange::Complete(deployment_id(n)))),
        (n(), prop::option::of(0_u8..2))
            .prop_map(|(n, on)| Change::from(TaskChange::Create(task(n, on)))),
        (n(), status).prop_map(|(n, status)| report(n, 0, status)),
        n().prop_map(stop),
        n().prop_map(|n| Change::from(TaskChange::Lose(task_id(n)))),
        n().prop_map(|n| Change::from(TaskChange::Reaped {
            instance: instance_id(0),
            task: task_id(n)
        })),
        n().prop_map(|n| Change::from(TaskChange::Forget(task_id(n)))),
        n().prop_map(|n| Change::from(RepositoryChange::PutTag(tag("hello", n)))),
        Just(Change::from(RepositoryChange::RemoveTag {
            repository: tag("hello", 0).repository,
            tag: tag("hello", 0).name
        })),
    ]
}
