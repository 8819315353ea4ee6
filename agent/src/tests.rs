//! What the tests share: a task, and whose it is.

use std::net::Ipv4Addr;

use model::view::AssignedContainer;
use model::{
    AssignedTask, ContainerName, Digest, InstallationId, InstanceId, KeyValue, PinnedImage,
    PortBinding, RestartPolicy, TaskId, Timestamp, TransportProtocol, Wanted,
};

use crate::owner::Owner;

mod docker_fixture;
mod docker_limits;
mod docker_real;
mod registry;
mod test_agent;
mod unresponsive_docker;

/// Whose the task is.
pub(crate) fn owner() -> Owner {
    Owner {
        installation: InstallationId::new(Timestamp::EPOCH, [1; 10]),
        instance: InstanceId::new(Timestamp::EPOCH, [2; 10]),
    }
}

/// A task with one container.
pub(crate) fn task() -> AssignedTask {
    task_of(&[("main", true)])
}

/// A task with these containers, each with whether it is essential.
pub(crate) fn task_of(containers: &[(&str, bool)]) -> AssignedTask {
    let image =
        PinnedImage { repository: "hello".parse().unwrap(), digest: Digest::Sha256([0; 32]) };
    let container = |(name, essential): &(&str, bool)| AssignedContainer {
        name: name.parse().unwrap(),
        image: image.clone(),
        essential: *essential,
        cpu: 0,
        memory: None,
        memory_reservation: None,
        environment: vec![KeyValue { name: "COLOR".to_owned(), value: "blue".to_owned() }],
        entry_point: None,
        command: None,
        working_directory: None,
        user: None,
        readonly_root_filesystem: false,
        stop_timeout_secs: 30,
        restart_policy: None,
    };
    AssignedTask {
        id: TaskId::new(Timestamp::EPOCH, [3; 10]),
        wanted: Wanted::Run,
        started: false,
        cluster: "default".parse().unwrap(),
        service: Some("hello".parse().unwrap()),
        task_definition: "hello:1".parse().unwrap(),
        address: Ipv4Addr::new(10, 90, 3, 2),
        ports: vec![PortBinding {
            container: name("main"),
            container_port: 8080,
            protocol: TransportProtocol::Tcp,
            host_port: 20001,
        }],
        cpu: None,
        memory: None,
        containers: containers.iter().map(container).collect(),
    }
}

/// A container's name.
pub(crate) fn name(text: &str) -> ContainerName {
    text.parse().unwrap()
}

/// A policy that restarts what has run for a minute.
pub(crate) fn restarts() -> RestartPolicy {
    RestartPolicy { enabled: true, ignored_exit_codes: vec![7], restart_attempt_period: 60 }
}

/// Requests to a server without TLS.
pub(crate) fn http(base: String) -> link::client::Http {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy();
    link::client::Http { client: client.build().unwrap(), base }
}
