//! The container specification that Docker gets for a container of a task. It is closed: a field that is not named here is
//! never set, and text of a task definition only becomes the value of a known field.

use std::collections::HashMap;
use std::net::IpAddr;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig,
    HostConfigLogConfig, NetworkingConfig, PortBinding, PortMap, RestartPolicy,
    RestartPolicyNameEnum,
};
use model::{AssignedContainer, AssignedTask, ImageId};

use crate::limits::Limits;
use crate::op::Network;
use crate::owner::Owner;

/// Capabilities of Docker's default set that containers do not get.
const DROPPED: [&str; 4] = ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"];
/// Processes and threads of a container at most.
pub(crate) const PIDS: i64 = 512;
/// Size of a log file, and how many Docker keeps of each container.
const LOG_SIZE: &str = "10m";
const LOG_FILES: &str = "3";

/// The body of Docker's call to create the container.
pub(crate) fn body(
    owner: &Owner,
    task: &AssignedTask,
    container: &AssignedContainer,
    image: &ImageId,
    network: &Network,
    published_on: IpAddr,
    limits: &Limits,
) -> ContainerCreateBody {
    let ports = match network {
        Network::Own => port_map(task, published_on),
        Network::Of(_) => PortMap::new(),
    };
    ContainerCreateBody {
        image: Some(image.to_string()),
        labels: Some(owner.container_labels(task, &container.name)),
        env: Some(
            container.environment.iter().map(|one| format!("{}={}", one.name, one.value)).collect(),
        ),
        entrypoint: container.entry_point.clone(),
        cmd: container.command.clone(),
        working_dir: container.working_directory.clone(),
        user: container.user.clone(),
        // Like ECS, an image's own HEALTHCHECK is ignored: its result would not be used.
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        exposed_ports: (!ports.is_empty()).then(|| ports.keys().cloned().collect()),
        networking_config: endpoint(owner, task, network),
        host_config: Some(host_config(owner, container, network, ports, limits)),
        ..ContainerCreateBody::default()
    }
}

fn host_config(
    owner: &Owner,
    container: &AssignedContainer,
    network: &Network,
    ports: PortMap,
    limits: &Limits,
) -> HostConfig {
    let memory = limits.memory.map(signed);
    let tmp = "rw,noexec,nosuid,nodev,size=65536k".to_owned();
    HostConfig {
        network_mode: Some(match network {
            Network::Own => owner.network(),
            Network::Of(id) => format!("container:{id}"),
        }),
        port_bindings: (!ports.is_empty()).then_some(ports),
        cgroup_parent: limits.parent.clone(),
        cpu_shares: Some(signed(limits.cpu_shares)),
        nano_cpus: limits.nano_cpus.map(signed),
        memory,
        memory_reservation: limits.memory_reservation.map(signed),
        // The same value forbids swap, which would otherwise double the limit.
        memory_swap: memory,
        pids_limit: Some(PIDS),
        storage_opt: limits
            .disk
            .map(|size| HashMap::from([("size".to_owned(), format!("{size}M"))])),
        init: Some(true),
        privileged: Some(false),
        readonly_rootfs: Some(container.readonly_root_filesystem),
        tmpfs: container
            .readonly_root_filesystem
            .then(|| HashMap::from([("/tmp".to_owned(), tmp)])),
        security_opt: Some(vec!["no-new-privileges:true".to_owned()]),
        cap_drop: Some(DROPPED.map(str::to_owned).to_vec()),
        log_config: Some(HostConfigLogConfig {
            typ: Some("json-file".to_owned()),
            config: Some(HashMap::from([
                ("max-size".to_owned(), LOG_SIZE.to_owned()),
                ("max-file".to_owned(), LOG_FILES.to_owned()),
            ])),
        }),
        // The agent restarts containers itself, by the task definition's restart policy.
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        ..HostConfig::default()
    }
}

fn endpoint(owner: &Owner, task: &AssignedTask, network: &Network) -> Option<NetworkingConfig> {
    match network {
        Network::Own => {
            let endpoint = EndpointSettings {
                ipam_config: Some(EndpointIpamConfig {
                    ipv4_address: Some(task.address.to_string()),
                    ..EndpointIpamConfig::default()
                }),
                ..EndpointSettings::default()
            };
            let endpoints_config = Some(HashMap::from([(owner.network(), endpoint)]));
            Some(NetworkingConfig { endpoints_config })
        }
        Network::Of(_) => None,
    }
}

fn port_map(task: &AssignedTask, published_on: IpAddr) -> PortMap {
    let mut ports = PortMap::new();
    for binding in &task.ports {
        let bound = PortBinding {
            host_ip: Some(published_on.to_string()),
            host_port: Some(binding.host_port.to_string()),
        };
        let key = format!("{}/{}", binding.container_port, binding.protocol);
        ports.entry(key).or_default().get_or_insert_default().push(bound);
    }
    ports
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::limits;
    use crate::tests::{self, owner};

    fn shown(task: &AssignedTask, index: usize, network: &Network) -> serde_json::Value {
        let container = &task.containers[index];
        let limits = limits::limits(task, container, None, None);
        let body = body(
            &owner(),
            task,
            container,
            &"sha256:11".into(),
            network,
            Ipv4Addr::LOCALHOST.into(),
            &limits,
        );
        serde_json::to_value(body).unwrap()
    }

    #[test]
    fn a_container_gets_what_its_definition_says_and_safe_defaults() {
        let mut task = tests::task();
        let container = &mut task.containers[0];
        container.memory = Some(64);
        container.cpu = 256;
        container.user = Some("65532".to_owned());
        container.command = Some(vec!["serve".to_owned()]);
        container.readonly_root_filesystem = true;
        let body = shown(&task, 0, &Network::Own);
        assert_eq!(body["Image"], "sha256:11");
        assert_eq!(body["Env"], serde_json::json!(["COLOR=blue"]));
        assert_eq!(body["Cmd"], serde_json::json!(["serve"]));
        assert_eq!(body["User"], "65532");
        assert_eq!(body.get("Entrypoint"), None, "the image's own");
        assert_eq!(body["ExposedPorts"], serde_json::json!({"8080/tcp": {}}));
        let host = &body["HostConfig"];
        let expected = serde_json::json!({
            "NetworkMode": "berth-01010101-02020202",
            "PortBindings": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "20001"}]},
            "CpuShares": 256,
            "Memory": 67_108_864,
            "MemorySwap": 67_108_864,
            "PidsLimit": 512,
            "Init": true,
            "Privileged": false,
            "ReadonlyRootfs": true,
            "Tmpfs": {"/tmp": "rw,noexec,nosuid,nodev,size=65536k"},
            "SecurityOpt": ["no-new-privileges:true"],
            "CapDrop": ["NET_RAW", "MKNOD", "AUDIT_WRITE", "SETFCAP"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}},
            "RestartPolicy": {"Name": "no"},
        });
        assert_eq!(*host, expected, "and nothing else");
        let address = &body["NetworkingConfig"]["EndpointsConfig"]["berth-01010101-02020202"];
        assert_eq!(address["IPAMConfig"]["IPv4Address"], "10.90.3.2");
    }

    #[test]
    fn the_other_containers_of_a_task_share_the_network_of_the_first() {
        let task = tests::task_of(&[("main", true), ("side", false)]);
        let body = shown(&task, 1, &Network::Of("abc".into()));
        assert_eq!(body["HostConfig"]["NetworkMode"], "container:abc");
        assert_eq!(body["HostConfig"].get("PortBindings"), None);
        assert_eq!(body.get("ExposedPorts"), None, "Docker refuses ports beside a shared network");
        assert_eq!(body.get("NetworkingConfig"), None);
        assert_eq!(body["HostConfig"]["CpuShares"], 128);
        assert_eq!(body["HostConfig"].get("Memory"), None);
    }
}
