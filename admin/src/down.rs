//! `berth down`: everything that runs is stopped, cleanly.

use api::Remaining;
use axum::Json;
use axum::extract::State;
use control::{GetStopProgress, StopInstallation};

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;

/// How many services and tasks are still there.
#[utoipa::path(get, path = "/down", operation_id = "GetStopProgress", responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn progress(
    who: Authorized<GetStopProgress>,
    State(api): State<Api>,
) -> Result<Json<Remaining>, Problem> {
    who.execute(&api, GetStopProgress).await.map(Json)
}

/// Removes all services and stops all tasks; answers at once with how many there are.
#[utoipa::path(post, path = "/down", operation_id = "StopInstallation", responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn down(
    who: Authorized<StopInstallation>,
    State(api): State<Api>,
) -> Result<Json<Remaining>, Problem> {
    who.execute(&api, StopInstallation).await.map(Json)
}
