//! `berth agent`: makes this host an instance.

use std::sync::Arc;

use config::Config;

use supervisor::Failure;
use supervisor::Part;
use supervisor::SystemClock;
use supervisor::endpoints;
use supervisor::role::{self, Role};

/// Runs the agent until it is asked to end; the containers go on.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let mut role = Role::enter(Part::Agent, config)?;
    let server = endpoints::link_server(config, role.layout());
    role.server = Some(server.clone());
    let agent = agent::Config {
        dir: role.dir(),
        server,
        join_token: config.join_token.clone(),
        name: config.agent.name.clone(),
        version: role::VERSION.to_owned(),
        docker_host: config.agent.docker_host.clone(),
        cpu: config.agent.cpu,
        memory: config.agent.memory,
        advertised_address: config.agent.advertised_address,
        mirror_listen: config.agent.mirror_listen,
    };
    role.run(role::threads(), async move |role| {
        let (ready, shutdown) = (role.ready.clone(), role.shutdown.clone());
        let ran = agent::run(agent, Arc::new(SystemClock), ready, shutdown).await;
        ran.map_err(Failure::part("the agent cannot run"))
    })
}
