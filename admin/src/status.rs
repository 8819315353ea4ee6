//! How everything is.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::may::{May, StatusGet};
use crate::problem::Problem;
use crate::shape::instance::{InstanceShape, RouterShape};
use crate::shape::service::ServiceShape;

/// How everything is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StatusShape {
    version: String,
    installation: Option<String>,
    epoch: u64,
    revision: u64,
    ready: bool,
    registry_address: String,
    /// Null until a router has said where it listens.
    router_url: Option<String>,
    link_address: String,
    instances: Vec<InstanceShape>,
    routers: Vec<RouterShape>,
    services: Vec<ServiceShape>,
}

/// How everything is: instances, routers and services with their counts.
#[utoipa::path(get, path = "/status", responses((status = 200, body = StatusShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("status:Get"))))]
pub(crate) async fn get(_: May<StatusGet>, State(api): State<Api>) -> Json<StatusShape> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let instance = |one| InstanceShape::of(&state, &observed, &api.lease, now, one);
    let router = |one| RouterShape::of(&observed, &api.lease, now, one);
    let port = api.router_port();
    Json(StatusShape {
        version: api.info.version.clone(),
        installation: state.installation().map(|id| id.to_string()),
        epoch: api.store.epoch().0,
        revision: state.revision().0,
        ready: api.ready.borrow().all(),
        registry_address: api.info.registry_address.clone(),
        router_url: (port != 0).then(|| format!("http://localhost:{port}")),
        link_address: api.info.link_address.clone(),
        instances: state.instances().map(instance).collect(),
        routers: state.routers().map(router).collect(),
        services: state.services().map(|one| ServiceShape::of(&state, one, port)).collect(),
    })
}

/// 200 once every part is ready; names each part either way.
pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, String) {
    let readiness = api.ready.borrow().clone();
    let lines = readiness.parts.iter().map(|(part, state)| match state {
        Ok(()) => format!("[+]{part} ok\n"),
        Err(why) => format!("[-]{part} {why}\n"),
    });
    let text: String = lines.collect();
    if readiness.all() {
        (StatusCode::OK, text + "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text + "not ready\n")
    }
}
