//! One connected instance, and one service whose image has been pushed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use model::{
    Change, Cluster, ClusterChange, ClusterId, DeploymentCause, DeploymentChange, DeploymentId,
    Digest, HostIdentity, InstallationId, Instance, InstanceChange, InstanceId, InstanceStatus,
    NewDeployment, NewService, Observed, PinnedImage, Platform, Repository, RepositoryChange,
    Resources, RevisionOrigin, RolledOut, ServiceChange, ServiceId, ServiceRevision,
    ServiceRevisionId, State, Tag, TaskDefinition, TaskDefinitionChange, Timestamp,
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const RANDOM: [u8; 10] = [1; 10];

/// A service that wants so many tasks; nothing is planned yet.
pub(super) fn world(desired: u32) -> (State, Observed) {
    let definition: TaskDefinition = serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": 1, "registeredAt": NOW,
        "containerDefinitions": [{
            "name": "web", "image": "hello:latest", "cpu": 100, "memory": 100,
            "portMappings": [{"containerPort": 8080}]
        }]
    }))
    .expect("the definition is well-formed");
    let cluster = Cluster {
        id: ClusterId::new(NOW, RANDOM),
        name: "default".parse().expect("a name"),
        created_at: NOW,
    };
    let instance = instance();
    let service = NewService {
        desired_count: desired,
        ..NewService::new(
            ServiceId::new(NOW, RANDOM),
            cluster.name.clone(),
            "hello".parse().expect("a name"),
            NOW,
        )
    };
    let tag = tag();
    let repository = Repository { name: tag.repository.clone(), created_at: NOW };
    let mut observed = Observed::new(NOW);
    observed.hear_instance(instance.id, true, NOW);
    let first = first_deployment(&service, &tag, &definition);
    let changes: [Change; 8] = [
        Change::Install(InstallationId::new(NOW, RANDOM)),
        ClusterChange::Create(cluster).into(),
        InstanceChange::Register(instance).into(),
        RepositoryChange::Create(repository).into(),
        RepositoryChange::PutTag(tag).into(),
        TaskDefinitionChange::Register(definition).into(),
        ServiceChange::Create(service).into(),
        DeploymentChange::Start(first).into(),
    ];
    let mut state = State::default();
    state.apply_all(&changes, NOW).expect("a new state takes all of it");
    (state, observed)
}

/// Another service of the same image, which wants one task.
pub(super) fn add_service(state: &mut State, name: &str) -> ServiceId {
    let random = [2; 10];
    let service = NewService {
        desired_count: 1,
        ..NewService::new(
            ServiceId::new(NOW, random),
            "default".parse().expect("a name"),
            name.parse().expect("a name"),
            NOW,
        )
    };
    let definition = state.task_definitions().next().expect("the world has one").clone();
    let mut first = first_deployment(&service, &tag(), &definition);
    first.id = DeploymentId::new(NOW, random);
    if let RolledOut::New(revision) = &mut first.revision {
        revision.id = ServiceRevisionId::new(NOW, random);
    }
    let id = service.id;
    let changes = [ServiceChange::Create(service).into(), DeploymentChange::Start(first).into()];
    state.apply_all(&changes, NOW).expect("the state takes it");
    id
}

fn first_deployment(service: &NewService, tag: &Tag, definition: &TaskDefinition) -> NewDeployment {
    let image = PinnedImage { repository: tag.repository.clone(), digest: tag.digest };
    NewDeployment {
        id: DeploymentId::new(NOW, RANDOM),
        service: service.id,
        revision: RolledOut::New(ServiceRevision {
            id: ServiceRevisionId::new(NOW, RANDOM),
            service: service.id,
            number: 1,
            base: None,
            origin: RevisionOrigin::Requested,
            task_definition: definition.key(),
            images: BTreeMap::from([("web".parse().expect("a name"), image)]),
            load_balancers: Vec::new(),
            created_at: NOW,
            created_by: String::new(),
        }),
        cause: DeploymentCause::Requested,
        created_at: NOW,
        created_by: String::new(),
    }
}

fn instance() -> Instance {
    Instance {
        id: InstanceId::new(NOW, RANDOM),
        cluster: "default".parse().expect("a name"),
        name: "i1".to_owned(),
        status: InstanceStatus::Active,
        capacity: Resources::new(10_000, 10_000),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: Some("10.90.1.0/24".parse().expect("a subnet")),
        last_address: 0,
        last_port: 0,
        attributes: BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: "0".to_owned(),
        docker_version: "0".to_owned(),
        divides_limits: None,
        registered_at: NOW,
    }
}

fn tag() -> Tag {
    Tag {
        repository: "hello".parse().expect("a name"),
        name: "latest".parse().expect("a name"),
        digest: Digest::Sha256([1; 32]),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size_bytes: 1,
        platforms: [].into(),
        exposed_ports: [8080].into(),
        pushed_at: NOW,
        pushed_by: "user/admin".to_owned(),
    }
}
