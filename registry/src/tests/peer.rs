//! An instance with a task, as State knows it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use model::*;
use serde_json::json;

use super::world::World;

impl World {
    /// Runs one task of an image of this repository on a new instance.
    pub(super) async fn run_task_on(&self, id: InstanceId, repository: &str) {
        let now = self.clock.now();
        let cluster = Cluster {
            id: ClusterId::new(now, [1; 10]),
            name: "default".parse().unwrap(),
            created_at: now,
        };
        let definition: TaskDefinition = serde_json::from_value(json!({
            "family": "web", "revision": 1, "registeredAt": now,
            "containerDefinitions": [
                { "name": "web", "image": format!("{repository}:v1"), "cpu": 100, "memory": 100 },
            ],
        }))
        .unwrap();
        self.apply(vec![
            ClusterChange::Create(cluster).into(),
            InstanceChange::Register(instance(id, now)).into(),
            TaskDefinitionChange::Register(definition).into(),
            TaskChange::Create(task(id, repository, now)).into(),
        ])
        .await;
    }
}

fn instance(id: InstanceId, now: Timestamp) -> Instance {
    Instance {
        id,
        cluster: "default".parse().unwrap(),
        name: "i1".to_owned(),
        status: InstanceStatus::Active,
        capacity: Resources::new(1_000, 1_000),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: Some("10.90.1.0/24".parse().unwrap()),
        last_address: 0,
        last_port: 0,
        attributes: BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: "0".to_owned(),
        docker_version: "0".to_owned(),
        divides_limits: None,
        registered_at: now,
    }
}

fn task(instance: InstanceId, repository: &str, now: Timestamp) -> NewTask {
    let address = Ipv4Addr::new(10, 90, 1, 2);
    let digest = Digest::Sha256([1; 32]);
    let image = PinnedImage { repository: repository.parse().unwrap(), digest };
    NewTask {
        started_by: "admin".to_owned(),
        resources: Resources::new(100, 100),
        placement: Some(Placement { instance, address, ports: Vec::new() }),
        images: vec![("web".parse().unwrap(), image)],
        ..NewTask::new(
            TaskId::new(now, [1; 10]),
            "default".parse().unwrap(),
            Revision { family: "web".parse().unwrap(), number: 1 },
            now,
        )
    }
}
