//! `berth deploy`: from an image in the registry to a service with a URL.

use api::{DeployRequest, DeployResponse};
use axum::Json;
use axum::extract::State;
use control::DeployService;

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::problem::Problem;
use crate::request::Body;

/// Deploys an image of the registry as a service: makes or changes everything that it takes.
#[utoipa::path(post, path = "/deploy", operation_id = "DeployService", params(IdempotencyParameter), request_body = DeployRequest, responses((status = 200, body = DeployResponse), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Deploy"))))]
pub(crate) async fn deploy(
    who: Authorized<DeployService>,
    State(api): State<Api>,
    Body(request): Body<DeployRequest>,
) -> Result<Json<DeployResponse>, Problem> {
    who.execute(&api, DeployService(request)).await.map(Json)
}
