//! How everything is.

use api::Status;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use control::GetStatus;

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;

/// How everything is: instances, routers and services with their counts.
#[utoipa::path(get, path = "/status", operation_id = "GetStatus", responses((status = 200, body = Status), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("status:Get"))))]
pub(crate) async fn get(
    who: Authorized<GetStatus>,
    State(api): State<Api>,
) -> Result<Json<Status>, Problem> {
    who.execute(&api, GetStatus).await.map(Json)
}

/// 200 once every part is ready; names each part either way, and what somebody should see to.
pub(crate) async fn readyz(State(api): State<Api>) -> (StatusCode, String) {
    let readiness = api.ready.borrow().clone();
    let lines = readiness.parts.iter().map(|(part, state)| match state {
        Ok(()) => format!("[+]{part} ok\n"),
        Err(why) => format!("[-]{part} {why}\n"),
    });
    let warnings = readiness.warnings.iter().map(|warning| format!("[!]{warning}\n"));
    let text: String = lines.chain(warnings).collect();
    if readiness.all() {
        (StatusCode::OK, text + "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, text + "not ready\n")
    }
}
