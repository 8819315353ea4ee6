//! `berth router`: takes HTTP requests and sends them to tasks.

use std::sync::Arc;

use config::Config;

use super::listen;
use supervisor::Failure;
use supervisor::Part;
use supervisor::SystemClock;
use supervisor::endpoints::{self, Endpoints, dialable};
use supervisor::role::{self, Role};

/// Runs the router until it is asked to end.
pub(crate) fn run(config: &Config) -> Result<(), Failure> {
    let mut role = Role::enter(Part::Router, config)?;
    listen::allow_many();
    let last = Endpoints::read(role.layout()).router;
    let listener = listen::bind("router.listen", config.router.listen, last)?;
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
        ran.map_err(Failure::part("the router cannot run"))
    })
}
