//! `berth router`: takes HTTP requests and sends them to tasks.

use std::sync::Arc;

use config::Config;

use supervisor::endpoints::{self, Endpoints, dialable};
use supervisor::role::{self, Role};
use supervisor::{FailureKind, RoleError, RoleKind, Step, SystemClock, listen};

use super::link_failure::link_failure;

/// Runs the router until it is asked to end.
pub(crate) fn run(config: &Config) -> Result<(), RoleError> {
    let mut role = Role::enter(RoleKind::Router, config)?;
    listen::allow_many();
    let listener = role.listener("router.listen", config.router.listen, |last| last.router)?;
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
    };
    role.run(role::threads(), async move |role| {
        let (ready, shutdown) = (role.ready.clone(), role.shutdown.clone());
        let ran = router::run(router, Arc::new(SystemClock), ready, shutdown).await;
        ran.map_err(|error| {
            let kind = match &error {
                router::Error::Link(error) => link_failure(error),
                router::Error::Listener(_) | router::Error::Host(_) => FailureKind::Other,
            };
            RoleError::step_as(Step::RunRouter, kind)(error)
        })
    })
}
