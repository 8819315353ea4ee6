//! The REST API that people, the `berth` command and scripts call. Every operation names its action in its signature
//! (`May<...>`), so none can be reached without `access` having said yes; what changes something is answered only after its
//! commit is on disk.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::BoxStream;
use model::{
    Change, Clock, CommitError, ContainerName, InstanceId, LeaseTimes, Observed, Refusal, State,
    TaskId, Timestamp,
};
use store::Store;
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::may::Somebody;
use crate::problem::Problem;

mod cluster;
mod deploy;
mod describe;
mod down;
mod ecs;
mod idempotency;
mod image;
mod instance;
mod may;
mod page;
mod precondition;
mod problem;
mod request;
mod router;
mod routing;
mod service;
mod status;
mod task;
mod task_definition;

#[cfg(test)]
mod tests;

/// Bytes of a request's body at most.
const MOST_BODY_BYTES: usize = 1 << 20;

/// What the API needs of the rest of the server.
#[derive(Clone)]
pub struct Admin {
    /// The durable truth.
    pub store: Store,
    /// What peers report.
    pub observed: watch::Receiver<Observed>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long silence means what.
    pub lease: LeaseTimes,
    /// Where logs of running tasks come from.
    pub logs: Arc<dyn Logs>,
    /// Whether registry and router accept and the local instance is ready, with a sentence where not.
    pub ready: watch::Receiver<Readiness>,
    /// What does not change while the server runs.
    pub info: Info,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("info", &self.info).finish_non_exhaustive()
    }
}

/// Whether the server is ready, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Each part, and why it is not ready where it is not.
    pub parts: Vec<(&'static str, Result<(), String>)>,
}

impl Readiness {
    /// Whether every part is ready; false while none is known.
    pub fn all(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|(_, state)| state.is_ok())
    }
}

/// What does not change while the server runs.
#[derive(Clone)]
pub struct Info {
    /// The version of the program.
    pub version: String,
    /// `host:port` of the registry, as people write it in image names.
    pub registry_address: String,
    /// The router's port, for the URLs of services; asked for each time, since the router may come after the server.
    pub router_port: Arc<dyn Fn() -> u16 + Send + Sync>,
    /// `host:port` that agents and routers dial.
    pub link_address: String,
    /// SHA-256 of the CA's public key in hexadecimal digits, for join tokens.
    pub ca_fingerprint: String,
}

impl std::fmt::Debug for Info {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Info");
        shown.field("version", &self.version).field("registry_address", &self.registry_address);
        shown.field("link_address", &self.link_address).finish_non_exhaustive()
    }
}

/// Where logs of running tasks come from.
pub trait Logs: Send + Sync {
    /// The log lines of a task, each as `CONTAINER TEXT`; the error is a sentence for people.
    fn open(
        &self,
        instance: InstanceId,
        task: TaskId,
        container: Option<ContainerName>,
        follow: bool,
        tail: Option<u32>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Bytes>, String>>;
}

/// What handlers share.
pub(crate) type Api = Arc<Admin>;

impl Admin {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn state(&self) -> State {
        self.store.state()
    }

    pub(crate) fn seen(&self) -> Observed {
        self.observed.borrow().clone()
    }

    /// The router's port, for the URLs of services.
    pub(crate) fn router_port(&self) -> u16 {
        (self.info.router_port)()
    }

    /// Commits changes; a refusal becomes the problem that it is.
    pub(crate) async fn apply(&self, changes: Vec<Change>) -> Result<(), Problem> {
        self.store.apply(changes, self.now()).await?;
        Ok(())
    }

    /// Commits changes that do not need each other, however many: each by itself, so that one whose entity is gone by now
    /// holds up no other. The store commits them together all the same.
    pub(crate) async fn apply_each(&self, changes: Vec<Change>) -> Result<(), Problem> {
        let applied = changes.into_iter().map(|change| self.store.apply(vec![change], self.now()));
        for result in join_all(applied).await {
            match result {
                Ok(_) | Err(CommitError::Refused(Refusal::NotFound { .. })) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

fn api() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(status::get))
        .routes(routes!(cluster::list))
        .routes(routes!(instance::list))
        .routes(routes!(instance::get, instance::update, instance::remove))
        .routes(routes!(instance::create_join_token))
        .routes(routes!(router::list))
        .routes(routes!(router::remove))
        .routes(routes!(image::repositories))
        .routes(routes!(image::tags))
        .routes(routes!(routing::listeners))
        .routes(routes!(routing::list_target_groups))
        .routes(routes!(routing::rules, routing::create_rule))
        .routes(routes!(routing::remove_rule))
        .routes(routes!(task_definition::list, task_definition::register))
        .routes(routes!(task_definition::get))
        .routes(routes!(service::list, service::create))
        .routes(routes!(service::get, service::update, service::remove))
        .routes(routes!(service::rollback))
        .routes(routes!(service::events))
        .routes(routes!(task::list, task::run))
        .routes(routes!(task::get))
        .routes(routes!(task::stop))
        .routes(routes!(task::logs))
        .routes(routes!(deploy::deploy))
        .routes(routes!(down::progress, down::down))
}

/// The whole API, ready to be served.
pub fn router(admin: Admin) -> Router {
    let version = admin.info.version.clone();
    let api_state: Api = Arc::new(admin);
    let answers = Arc::new(idempotency::Answers::default());
    let (routes, mut document) = OpenApiRouter::new().nest("/api/v1", api()).split_for_parts();
    "Berth".clone_into(&mut document.info.title);
    document.info.version = version;
    let document = Bytes::from(document.to_json().expect("an OpenAPI document is JSON"));
    let json = [("content-type", "application/json")];
    routes
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move |_: Somebody| async move { (json, document) }),
        )
        .route("/livez", axum::routing::get(|| async { "ok\n" }))
        .route("/readyz", axum::routing::get(status::readyz))
        .route("/", axum::routing::get(root))
        .fallback(|_: Somebody| async { Problem::no_such_path() })
        .method_not_allowed_fallback(|_: Somebody| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state((Arc::clone(&api_state), answers), idempotency::layer))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(api_state)
}

async fn root() -> axum::response::Response {
    "This is Berth's admin API. It lives under /api/v1 and is described at /api/v1/openapi.json; every call needs the header\n\
     `Authorization: Bearer TOKEN`. The administrator's token is in `admin.token` in the data directory. The `berth` command\n\
     on this host finds both by itself: try `berth status`.\n"
        .into_response()
}
