//! `berth down`: everything that runs is stopped, cleanly.

use axum::Json;
use axum::extract::State;
use model::{Change, StopCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::may::{InstallationStop, May};
use crate::problem::Problem;

/// What is still there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Left {
    services: usize,
    tasks: usize,
}

fn left(api: &Api) -> Json<Left> {
    let state = api.state();
    Json(Left { services: state.services().count(), tasks: state.tasks().count() })
}

/// How many services and tasks are still there.
#[utoipa::path(get, path = "/down", responses((status = 200, body = Left), (status = "4XX", body = Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn progress(_: May<InstallationStop>, State(api): State<Api>) -> Json<Left> {
    left(&api)
}

/// Removes all services and stops all tasks; answers at once with how many there are.
#[utoipa::path(post, path = "/down", responses((status = 200, body = Left), (status = "4XX", body = Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn down(
    _: May<InstallationStop>,
    State(api): State<Api>,
) -> Result<Json<Left>, Problem> {
    let state = api.state();
    let drain = state.services().map(|service| Change::DrainService(service.id));
    let reason = "stopped by `berth down`".to_owned();
    let stop = state.tasks().filter(|task| task.wanted() && task.service.is_none());
    let code = StopCode::UserInitiated;
    let stop = stop.map(|task| Change::StopTask { task: task.id, code, reason: reason.clone() });
    api.apply_each(drain.chain(stop).collect()).await?;
    Ok(left(&api))
}
