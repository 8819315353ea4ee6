//! The REST API that people, the `berth` command and scripts call. Every handler names the request that it makes in its
//! signature (`Authorized<...>`), so none can be reached without `control` having said yes, and only translates: what can
//! be done is in `control`.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::IntoResponse as _;
use bytes::Bytes;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authorized::Authenticated;
use crate::problem::Problem;

mod authorized;
mod cluster;
mod deploy;
mod document;
mod down;
mod idempotency;
mod if_match;
mod image;
mod instance;
mod problem;
mod request;
mod request_id;
mod revision;
mod router;
mod routing;
mod sentence;
mod service;
mod shared;
mod status;
mod task;
mod task_definition;
mod token;

pub(crate) use shared::Api;
pub use shared::{Admin, Images, Logs, Readiness};

#[cfg(test)]
mod tests;

/// Bytes of a request's body at most.
const MOST_BODY_BYTES: usize = 1 << 20;

fn api() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(status::get))
        .routes(routes!(cluster::list))
        .routes(routes!(cluster::events))
        .routes(routes!(instance::list))
        .routes(routes!(instance::get, instance::update, instance::remove))
        .routes(routes!(instance::events))
        .routes(routes!(instance::create_join_token))
        .routes(routes!(router::list))
        .routes(routes!(router::remove))
        .routes(routes!(token::list))
        .routes(routes!(token::revoke))
        .routes(routes!(image::repositories))
        .routes(routes!(image::tags))
        .routes(routes!(image::verification, image::verify))
        .routes(routes!(routing::listeners))
        .routes(routes!(routing::target_groups))
        .routes(routes!(routing::rules, routing::create_rule))
        .routes(routes!(routing::remove_rule))
        .routes(routes!(task_definition::list, task_definition::register))
        .routes(routes!(task_definition::get))
        .routes(routes!(service::list, service::create))
        .routes(routes!(service::get, service::update, service::remove))
        .routes(routes!(service::rollback))
        .routes(routes!(service::revisions))
        .routes(routes!(service::events))
        .routes(routes!(task::list, task::run))
        .routes(routes!(task::get))
        .routes(routes!(task::stop))
        .routes(routes!(task::logs))
        .routes(routes!(deploy::deploy))
        .routes(routes!(down::progress, down::down, down::up))
}

/// The whole API, ready to be served.
pub fn router(admin: Admin) -> Router {
    let version = admin.control.setup().version.clone();
    let api_state: Api = Arc::new(admin);
    let answers = Arc::new(idempotency::Answers::default());
    let (routes, mut document) = OpenApiRouter::new().nest("/api/v1", api()).split_for_parts();
    document::complete(&mut document, &version);
    let document = Bytes::from(document.to_json().expect("an OpenAPI document is JSON"));
    let json = [("content-type", "application/json")];
    routes
        .route(
            "/api/v1/openapi.json",
            axum::routing::get(move |_: Authenticated| async move { (json, document) }),
        )
        .route("/livez", axum::routing::get(|| async { "ok\n" }))
        .route("/readyz", axum::routing::get(status::readyz))
        .route("/", axum::routing::get(root))
        .fallback(|_: Authenticated| async { Problem::no_such_path() })
        .method_not_allowed_fallback(|_: Authenticated| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state((Arc::clone(&api_state), answers), idempotency::layer))
        .layer(from_fn(request_id::layer))
        .layer(map_response(revision::layer))
        .layer(DefaultBodyLimit::max(MOST_BODY_BYTES))
        .with_state(api_state)
}

async fn root() -> axum::response::Response {
    "This is Berth's admin API. It lives under /api/v1 and is described at /api/v1/openapi.json; every call needs the header\n\
     `Authorization: Bearer TOKEN`. The administrator's token is in `admin.token` in the data directory. The `berth` command\n\
     on this host finds both by itself: try `berth status`.\n"
        .into_response()
}
