//! Tokens: what proves people and their programs.

use api::{Done, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::{ListTokens, RevokeToken};
use model::IdPrefix;

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::{Parameters, Path};

/// All tokens that are not over: the administrator's, and one of each `docker login`. None shows its secret.
#[utoipa::path(get, path = "/tokens", operation_id = "ListTokens", params(PageQuery), responses((status = 200, body = Page<api::Token>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("token:List"))))]
pub(crate) async fn list(
    who: Authorized<ListTokens>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Token>>, Problem> {
    who.execute(&api, ListTokens(query)).await.map(Json)
}

/// Ends a token at once, and with it what it was exchanged for.
#[utoipa::path(delete, path = "/tokens/{token}", operation_id = "RevokeToken", params(("token" = inline(IdPrefix), Path)), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("token:Revoke"))))]
pub(crate) async fn revoke(
    who: Authorized<RevokeToken>,
    State(api): State<Api>,
    Path(id): Path<IdPrefix>,
) -> Result<Json<Done>, Problem> {
    who.execute(&api, RevokeToken(id)).await.map(Json)
}
