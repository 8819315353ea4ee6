//! Listeners, rules and target groups.

use api::{CreateRuleRequest, Done, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use control::{CreateRule, DeleteRule, ListListeners, ListRules, ListTargetGroups};
use model::IdPrefix;

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// All listeners.
#[utoipa::path(get, path = "/listeners", operation_id = "ListListeners", params(PageQuery), responses((status = 200, body = Page<api::Listener>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("listener:List"))))]
pub(crate) async fn listeners(
    who: Authorized<ListListeners>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Listener>>, Problem> {
    who.execute(&api, ListListeners(query)).await.map(Json)
}

/// All target groups with their targets and how routers see them.
#[utoipa::path(get, path = "/target-groups", operation_id = "ListTargetGroups", params(PageQuery), responses((status = 200, body = Page<api::TargetGroup>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("targetGroup:List"))))]
pub(crate) async fn target_groups(
    who: Authorized<ListTargetGroups>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::TargetGroup>>, Problem> {
    who.execute(&api, ListTargetGroups(query)).await.map(Json)
}

/// All rules: those with a priority first, lowest number first.
#[utoipa::path(get, path = "/rules", operation_id = "ListRules", params(PageQuery), responses((status = 200, body = Page<api::Rule>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:List"))))]
pub(crate) async fn rules(
    who: Authorized<ListRules>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Rule>>, Problem> {
    who.execute(&api, ListRules(query)).await.map(Json)
}

/// Makes a rule.
#[utoipa::path(post, path = "/rules", operation_id = "CreateRule", params(IdempotencyParameter), request_body = CreateRuleRequest, responses((status = 201, body = api::Rule), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:Create"))))]
pub(crate) async fn create_rule(
    who: Authorized<CreateRule>,
    State(api): State<Api>,
    Body(request): Body<CreateRuleRequest>,
) -> Result<(StatusCode, Json<api::Rule>), Problem> {
    let rule = who.execute(&api, CreateRule(request)).await?;
    Ok((StatusCode::CREATED, Json(rule)))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/rules/{rule}", operation_id = "DeleteRule", params(("rule" = inline(IdPrefix), Path)), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:Delete"))))]
pub(crate) async fn remove_rule(
    who: Authorized<DeleteRule>,
    State(api): State<Api>,
    Path(id): Path<IdPrefix>,
) -> Result<Json<Done>, Problem> {
    who.execute(&api, DeleteRule(id)).await.map(Json)
}
