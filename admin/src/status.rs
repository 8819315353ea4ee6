//! How everything is.

use api::Status;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::Api;
use crate::describe::instance::{instance, router};
use crate::describe::service::service;
use crate::may::{May, StatusGet};

/// How everything is: instances, routers and services with their counts.
#[utoipa::path(get, path = "/status", responses((status = 200, body = Status), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("status:Get"))))]
pub(crate) async fn get(_: May<StatusGet>, State(api): State<Api>) -> Json<Status> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let describe_instance = |one| instance(&state, &observed, &api.lease, now, one);
    let describe_router = |one| router(&observed, &api.lease, now, one);
    let port = api.router_port();
    Json(Status {
        version: api.info.version.clone(),
        installation: state.installation(),
        epoch: api.store.epoch(),
        revision: state.revision(),
        ready: api.ready.borrow().all(),
        registry_address: api.info.registry_address.clone(),
        router_url: (port != 0).then(|| format!("http://localhost:{port}")),
        link_address: api.info.link_address.clone(),
        instances: state.instances().map(describe_instance).collect(),
        routers: state.routers().map(describe_router).collect(),
        services: state.services().map(|one| service(&state, one, port)).collect(),
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
