//! `berth router`: takes HTTP requests and sends them to tasks.

use std::sync::Arc;

use config::Config;

use supervisor::endpoints::{self, Endpoints, dialable};
use supervisor::role::{self, Role};
use supervisor::{FailureKind, RoleError, RoleKind, Step, SystemClock, listen};

use super::link_failure::link_failure;

/// Runs the router until it is asked to end, or relieved. One that relieves another gets ready as far as it can before.
pub(crate) fn run(config: &Config, relieves: bool) -> Result<(), RoleError> {
    let mut role = if relieves {
        Role::beside(RoleKind::Router, config)?
    } else {
        Role::enter(RoleKind::Router, config)?
    };
    listen::allow_many();
    let listener = role.listener("router.listen", config.router.listen, |last| last.router)?;
    if relieves {
        role.relieve()?;
    }
    let address = listener.local_addr().ok().map(dialable);
    Endpoints::update(role.layout(), |all| all.router = address)?;
    let server = endpoints::link_server(config, role.layout());
    role.server = Some(server.clone());
    let router = router::Config {
        dir: role.dir(),
        server,
        join_token: config.join_token.clone(),
        name: config.router.name.clone(),
        version: role::VERSION.to_owned(),
        listener,
        lean: config.router.lean,
        trusted_proxies: config.router.trusted_proxies.clone(),
        generation: router::Generation {
            ended: role.shutdown.clone(),
            alone: role.succession.alone.clone(),
            relieved: role.succession.relieved.clone(),
            let_go: role.succession.let_go.clone(),
        },
    };
    role.run(role::threads(), async move |role| {
        let ran = Box::pin(router::run(router, Arc::new(SystemClock), role.ready.clone())).await;
        ran.map_err(|error| {
            let kind = match &error {
                router::Error::Link(error) => link_failure(error),
                router::Error::Listener(_) | router::Error::Host(_) => FailureKind::Other,
            };
            RoleError::step_as(Step::RunRouter, kind)(error)
        })
    })
}
