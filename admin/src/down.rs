//! `berth down`: everything that runs is stopped, cleanly. `berth up`: it comes back.

use api::{Done, Remaining, StopQuery};
use axum::Json;
use axum::extract::State;
use control::{GetStopProgress, ResumeInstallation, StopInstallation};

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::Parameters;

/// How many services and tasks are still there.
#[utoipa::path(get, path = "/down", operation_id = "GetStopProgress", params(StopQuery), responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn progress(
    who: Authorized<GetStopProgress>,
    State(api): State<Api>,
    Parameters(query): Parameters<StopQuery>,
) -> Result<Json<Remaining>, Problem> {
    who.execute(&api, GetStopProgress(query)).await.map(Json)
}

/// Ends the suspension of all instances: services come back.
#[utoipa::path(delete, path = "/down", operation_id = "ResumeInstallation", responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn up(
    who: Authorized<ResumeInstallation>,
    State(api): State<Api>,
) -> Result<Json<Done>, Problem> {
    who.execute(&api, ResumeInstallation).await.map(Json)
}

/// Suspends one instance, or all of them: their tasks stop, services and everything else stay; answers at once with how many there are.
#[utoipa::path(post, path = "/down", operation_id = "StopInstallation", params(StopQuery), responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn down(
    who: Authorized<StopInstallation>,
    State(api): State<Api>,
    Parameters(query): Parameters<StopQuery>,
) -> Result<Json<Remaining>, Problem> {
    who.execute(&api, StopInstallation(query)).await.map(Json)
}
