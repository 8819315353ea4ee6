//! Instances, and the tokens that let agents and routers join.

use api::{CreateJoinTokenRequest, Done, Page, PageQuery, UpdateInstanceRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use control::{
    CreateJoinToken, GetInstance, ListInstanceEvents, ListInstances, RemoveInstance, UpdateInstance,
};

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::if_match::{Precondition, Tagged};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// All instances.
#[utoipa::path(get, path = "/instances", operation_id = "ListInstances", params(PageQuery), responses((status = 200, body = Page<api::Instance>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:List"))))]
pub(crate) async fn list(
    who: Authorized<ListInstances>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Instance>>, Problem> {
    who.execute(&api, ListInstances(query)).await.map(Json)
}

/// One instance by id, or by name where only one has it.
#[utoipa::path(get, path = "/instances/{instance}", operation_id = "GetInstance", params(("instance" = String, Path)), responses((status = 200, body = api::Instance, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Get"))))]
pub(crate) async fn get(
    who: Authorized<GetInstance>,
    State(api): State<Api>,
    Path(instance): Path<String>,
) -> Result<Tagged<api::Instance>, Problem> {
    who.execute(&api, GetInstance(instance)).await.map(Tagged::from)
}

/// Sets an instance ACTIVE or DRAINING.
#[utoipa::path(patch, path = "/instances/{instance}", operation_id = "UpdateInstance", params(("instance" = String, Path), Precondition), request_body = UpdateInstanceRequest, responses((status = 200, body = api::Instance, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Update"))))]
pub(crate) async fn update(
    who: Authorized<UpdateInstance>,
    State(api): State<Api>,
    Path(instance): Path<String>,
    Precondition { if_match }: Precondition,
    Body(request): Body<UpdateInstanceRequest>,
) -> Result<Tagged<api::Instance>, Problem> {
    let request = UpdateInstance { instance, if_match, request };
    who.execute(&api, request).await.map(Tagged::from)
}

/// Removes an instance that will not come back; what is left of its tasks counts as stopped.
#[utoipa::path(delete, path = "/instances/{instance}", operation_id = "RemoveInstance", params(("instance" = String, Path), Precondition), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Remove"))))]
pub(crate) async fn remove(
    who: Authorized<RemoveInstance>,
    State(api): State<Api>,
    Path(instance): Path<String>,
    Precondition { if_match }: Precondition,
) -> Result<Json<Done>, Problem> {
    who.execute(&api, RemoveInstance { instance, if_match }).await.map(Json)
}

/// Makes a token that lets an agent or a router join.
#[utoipa::path(post, path = "/join-tokens", operation_id = "CreateJoinToken", params(IdempotencyParameter), request_body = CreateJoinTokenRequest, responses((status = 201, body = api::JoinToken), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:CreateJoinToken"))))]
pub(crate) async fn create_join_token(
    who: Authorized<CreateJoinToken>,
    State(api): State<Api>,
    Body(request): Body<CreateJoinTokenRequest>,
) -> Result<(StatusCode, Json<api::JoinToken>), Problem> {
    let token = who.execute(&api, CreateJoinToken(request)).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// What happened to an instance, newest first.
#[utoipa::path(get, path = "/instances/{instance}/events", operation_id = "ListInstanceEvents", params(("instance" = String, Path), PageQuery), responses((status = 200, body = Page<api::InstanceEvent>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Events"))))]
pub(crate) async fn events(
    who: Authorized<ListInstanceEvents>,
    State(api): State<Api>,
    Path(instance): Path<String>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::InstanceEvent>>, Problem> {
    who.execute(&api, ListInstanceEvents { instance, query }).await.map(Json)
}
