//! Task definitions: ECS's JSON as it is.

use api::{
    ListTaskDefinitionsQuery, Page, RegisterTaskDefinitionQuery, RegisterTaskDefinitionRequest,
    TaskDefinitionReference,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use control::{GetTaskDefinition, ListTaskDefinitions, RegisterTaskDefinition};
use serde_json::Value;

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// Task definitions by family and revision.
#[utoipa::path(get, path = "/task-definitions", operation_id = "ListTaskDefinitions", params(ListTaskDefinitionsQuery), responses((status = 200, body = Page<api::TaskDefinition>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:List"))))]
pub(crate) async fn list(
    who: Authorized<ListTaskDefinitions>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTaskDefinitionsQuery>,
) -> Result<Json<Page<api::TaskDefinition>>, Problem> {
    who.execute(&api, ListTaskDefinitions(query)).await.map(Json)
}

/// One task definition: `family:revision`, or `family` for the newest.
#[utoipa::path(get, path = "/task-definitions/{taskDefinition}", operation_id = "GetTaskDefinition", params(("taskDefinition" = TaskDefinitionReference, Path)), responses((status = 200, body = api::TaskDefinition), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:Get"))))]
pub(crate) async fn get(
    who: Authorized<GetTaskDefinition>,
    State(api): State<Api>,
    Path(reference): Path<TaskDefinitionReference>,
) -> Result<Json<api::TaskDefinition>, Problem> {
    who.execute(&api, GetTaskDefinition(reference)).await.map(Json)
}

/// Registers a new revision. The answer names in `leftOut` which fields were left out.
#[utoipa::path(post, path = "/task-definitions", operation_id = "RegisterTaskDefinition", params(RegisterTaskDefinitionQuery, IdempotencyParameter), request_body = RegisterTaskDefinitionRequest, responses((status = 201, body = api::TaskDefinition), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:Register"))))]
pub(crate) async fn register(
    who: Authorized<RegisterTaskDefinition>,
    State(api): State<Api>,
    Parameters(query): Parameters<RegisterTaskDefinitionQuery>,
    Body(document): Body<Value>,
) -> Result<(StatusCode, Json<api::TaskDefinition>), Problem> {
    let request = RegisterTaskDefinition::read(api.control.setup(), document, query.leave_out)?;
    Ok((StatusCode::CREATED, Json(who.execute(&api, request).await?)))
}
