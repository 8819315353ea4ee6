//! Routers.

use api::{Done, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::{ListRouters, RemoveRouter};
use model::IdPrefix;

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::{Parameters, Path};

/// All routers.
#[utoipa::path(get, path = "/routers", operation_id = "ListRouters", params(PageQuery), responses((status = 200, body = Page<api::Router>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("router:List"))))]
pub(crate) async fn list(
    who: Authorized<ListRouters>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Router>>, Problem> {
    who.execute(&api, ListRouters(query)).await.map(Json)
}

/// Removes a router that will not come back; addresses no longer wait for it.
#[utoipa::path(delete, path = "/routers/{router}", operation_id = "RemoveRouter", params(("router" = inline(IdPrefix), Path)), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("router:Remove"))))]
pub(crate) async fn remove(
    who: Authorized<RemoveRouter>,
    State(api): State<Api>,
    Path(id): Path<IdPrefix>,
) -> Result<Json<Done>, Problem> {
    who.execute(&api, RemoveRouter(id)).await.map(Json)
}
