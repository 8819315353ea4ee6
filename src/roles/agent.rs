//! `berth agent`: makes this host an instance.

use std::io::ErrorKind;
use std::sync::Arc;

use config::Config;

use supervisor::role::{self, Role};
use supervisor::{FailureKind, RoleError, RoleKind, Step, SystemClock, endpoints};

use super::link_failure::link_failure;

/// Runs the agent until it is asked to end; the containers go on.
pub(crate) fn run(config: &Config) -> Result<(), RoleError> {
    let mut role = Role::enter(RoleKind::Agent, config)?;
    let server = endpoints::link_server(config, role.layout());
    role.server = Some(server.clone());
    let agent = agent::Config {
        dir: role.dir(),
        lock: role.lock(),
        server,
        join_token: config.join_token.clone(),
        name: config.agent.name.clone(),
        version: role::VERSION.to_owned(),
        docker_host: config.agent.docker_host.clone(),
        cpu: config.agent.cpu,
        memory: config.agent.memory,
        container_disk: config.agent.container_disk,
        advertised_address: config.agent.advertised_address,
        mirror_listen: config.agent.mirror_listen,
    };
    role.run(role::threads(), async move |role| {
        let (ready, shutdown) = (role.ready.clone(), role.shutdown.clone());
        let ran = agent::run(agent, Arc::new(SystemClock), ready, shutdown).await;
        ran.map_err(|error| RoleError::step_as(Step::RunAgent, failure_kind(&error))(error))
    })
}

fn failure_kind(error: &agent::Error) -> FailureKind {
    match error {
        agent::Error::Docker { .. } => FailureKind::DockerUnreachable,
        agent::Error::DockerHost { .. }
        | agent::Error::NoAddress { .. }
        | agent::Error::Address { .. } => FailureKind::Configuration,
        agent::Error::Mirror { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            FailureKind::AddressInUse
        }
        agent::Error::Link(error) => link_failure(error),
        agent::Error::Host(_) | agent::Error::Mirror { .. } | agent::Error::File { .. } => {
            FailureKind::Other
        }
    }
}
