//! `berth server`: store, scheduler, link, registry and admin API in one process. This file only wires them.
//!
//! Ports are bound and the store is opened before anything is served, so what cannot run says so at once. When the store
//! cannot write any more the process ends, and its supervisor starts it on what is on disk.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use control::{Control, Setup};
use listener::{Limits, Listener, Plain};
use model::{Clock, Epoch, Observed};
use store::Store;
use supervisor::endpoints::{Endpoints, dialable, for_others};
use supervisor::role::{self, Role, VERSION};
use supervisor::{FailureKind, Layout, RoleError, RoleKind, Step, SystemClock, listen};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod backend;
mod disk_room;
mod first_start;
mod images;
mod logs;
mod planning;
mod readiness;
mod submit;

/// How long requests that are under way may take to end after shutdown.
const LAST_REQUESTS: Duration = Duration::from_secs(3);
/// How long the store may take to close; everything that was answered is on disk anyway.
const CLOSE: Duration = Duration::from_secs(1);

/// Runs the server until it is asked to end.
pub(crate) fn run(config: &Config) -> Result<(), RoleError> {
    let role = Role::enter(RoleKind::Server, config)?;
    listen::allow_many();
    let listeners = Listeners::bind(config, &Endpoints::read(role.layout()))?;
    let store = Store::open(&role.dir())
        .map_err(RoleError::step_as(Step::OpenStore, FailureKind::StoreUnavailable))?;
    let server = Server { store, listeners, dir: role.dir(), layout: role.layout().clone() };
    role.run(role::threads(), async move |role| {
        server.serve(config, role.ready.clone(), role.shutdown.clone()).await
    })
}

/// What the server listens on.
struct Listeners {
    registry: TcpListener,
    admin: TcpListener,
    link: TcpListener,
}

impl Listeners {
    fn bind(config: &Config, last: &Endpoints) -> Result<Self, RoleError> {
        Ok(Self {
            registry: listen::bind("registry.listen", config.registry_listen, last.registry)?,
            admin: listen::bind("admin.listen", config.admin_listen, last.admin)?,
            link: listen::bind("link.listen", config.link.listen, last.link)?,
        })
    }

    /// Writes down where they really listen.
    fn publish(&self, layout: &Layout) -> Result<Endpoints, RoleError> {
        let at = |listener: &TcpListener| listener.local_addr().ok().map(dialable);
        Endpoints::update(layout, |all| {
            all.registry = at(&self.registry);
            all.admin = at(&self.admin);
            all.link = at(&self.link);
        })?;
        Ok(Endpoints::read(layout))
    }
}

/// Everything that must be there before anything is served.
struct Server {
    store: Store,
    listeners: Listeners,
    dir: PathBuf,
    layout: Layout,
}

impl Server {
    async fn serve(
        self,
        config: &Config,
        ready: watch::Sender<bool>,
        shutdown: CancellationToken,
    ) -> Result<(), RoleError> {
        let Self { store, listeners, dir, layout } = self;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let installation = first_start::complete(&store, &layout, clock.now()).await?;
        let endpoints = listeners.publish(&layout)?;
        let authority = link::Authority::open(&dir.join("ca"), installation, clock.now())
            .map_err(RoleError::step(Step::OpenAuthority))?;
        let observed = watch::Sender::new(Observed::new(clock.now()));
        let streams = link::server::Streams::default();
        let disk = watch::Sender::new(None);
        let ready_parts = readiness::watch(readiness::Sources {
            state: store.watch(),
            observed: observed.subscribe(),
            disk: disk.subscribe(),
        });
        let backend = backend::ServerBackend {
            store: store.clone(),
            observed: observed.subscribe(),
            readiness: ready_parts.clone(),
            disk: disk.subscribe(),
            layout: layout.clone(),
            router_port: config.router.listen.port(),
        };
        let setup = setup(config, &endpoints, &authority, store.epoch());
        let control = backend.into_control(&clock, setup);
        let registry = registry(store.reader(), &control, &dir, config, &clock)?;
        let admin = admin::Admin {
            control,
            logs: Arc::new(logs::FromAgents(streams.clone())),
            images: Arc::new(images::OfRegistry(registry.clone())),
            ready: ready_parts,
        };
        let link = link::server::Server {
            authority,
            epoch: store.epoch(),
            state: store.watch(),
            observed: observed.clone(),
            submit: submit::for_link(&store, &clock),
            mount: registry.router(),
            clock: Arc::clone(&clock),
            streams,
            beat: link::server::BEAT,
        };
        let planning = planning::run(
            store.watch(),
            observed.subscribe(),
            submit::for_scheduler(&store, &clock),
            clock,
            scheduler_settings(config),
            shutdown.clone(),
        );

        let mut parts = JoinSet::new();
        parts.spawn(planning);
        let (verifying, ended) = (registry.clone(), shutdown.clone());
        parts.spawn(async move { verifying.run_verifications(ended).await });
        let data_dir = layout.root().to_owned();
        parts.spawn(disk_room::run(registry.clone(), data_dir, disk, shutdown.clone()));
        parts.spawn(serve_link(link, listen::tokio(listeners.link)?, shutdown.clone()));
        for (name, socket, app) in [
            ("registry", listeners.registry, registry.router()),
            ("admin API", listeners.admin, admin::router(admin)),
        ] {
            parts.spawn(serve_http(name, listen::tokio(socket)?, app, shutdown.clone()));
        }
        announce(&endpoints);
        ready.send_replace(true);
        until_the_end(store, parts, &shutdown).await
    }
}

/// Waits for shutdown, or for the end of a part or of the store; then for what is under way.
async fn until_the_end(
    store: Store,
    mut parts: JoinSet<()>,
    shutdown: &CancellationToken,
) -> Result<(), RoleError> {
    let outcome = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        reason = store.failed() => Err(RoleError::StoreFailed { reason }),
        // No part ends before shutdown: one that does has panicked.
        _ = parts.join_next() => Err(RoleError::ServerTaskEnded),
    };
    shutdown.cancel();
    let ended = async { while parts.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_REQUESTS, ended).await.is_err() {
        tracing::info!("some requests are cut off");
        parts.abort_all();
        while parts.join_next().await.is_some() {}
    }
    if tokio::time::timeout(CLOSE, store.close()).await.is_err() {
        tracing::debug!("the store is still in use");
    }
    outcome
}

async fn serve_link(
    link: link::server::Server,
    socket: tokio::net::TcpListener,
    shutdown: CancellationToken,
) {
    if let Err(error) = link.serve(socket, shutdown).await {
        tracing::error!(%error, "the link has ended");
    }
}

async fn serve_http(
    name: &'static str,
    socket: tokio::net::TcpListener,
    app: axum::Router,
    shutdown: CancellationToken,
) {
    let listener = Listener { name, socket, app, prepare: Plain, limits: Limits::DEFAULT };
    listener.serve(&TaskTracker::new(), &shutdown).await;
}

fn registry(
    reader: store::Reader,
    control: &Control,
    dir: &Path,
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<registry::Registry, RoleError> {
    let registry = registry::Registry::open(registry::Config {
        reader,
        control: control.clone(),
        dir: dir.join("registry"),
        low_water: config.registry_low_water.map(|mebibytes| mebibytes.saturating_mul(1 << 20)),
        clock: Arc::clone(clock),
        service: "berth".to_owned(),
    });
    registry.map_err(RoleError::step(Step::OpenRegistry))
}

fn setup(
    config: &Config,
    endpoints: &Endpoints,
    authority: &link::Authority,
    epoch: Epoch,
) -> Setup {
    let link = config.link.advertised_address.clone();
    let registry = endpoints.registry.map(|at| format!("localhost:{}", at.port()));
    Setup {
        version: VERSION.to_owned(),
        epoch,
        region: config.region.clone(),
        lease: config.lease,
        registry_address: registry.unwrap_or_default(),
        link_address: link
            .unwrap_or_else(|| shown(endpoints.link.map(|at| for_others(config.link.listen, at)))),
        ca_fingerprint: authority.fingerprint(),
    }
}

fn announce(endpoints: &Endpoints) {
    tracing::info!(
        "registry at {}, admin API at {}, link at {}",
        shown(endpoints.registry),
        shown(endpoints.admin),
        shown(endpoints.link)
    );
}

fn scheduler_settings(config: &Config) -> scheduler::Settings {
    scheduler::Settings {
        lease: config.lease,
        port_range: config.port_range.clone(),
        ..scheduler::Settings::default()
    }
}

fn shown(address: Option<SocketAddr>) -> String {
    address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
}
