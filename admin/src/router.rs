//! Routers.

use api::{Done, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use model::{RouterChange, RouterId};

use crate::Api;
use crate::describe::instance::router;
use crate::may::{May, RouterList, RouterRemove};
use crate::page::page;
use crate::problem::Problem;
use crate::request::{Parameters, Path};

/// All routers.
#[utoipa::path(get, path = "/routers", params(PageQuery), responses((status = 200, body = Page<api::Router>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("router:List"))))]
pub(crate) async fn list(
    _: May<RouterList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Router>>, Problem> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let key = |one: &&model::Router| one.id;
    let describe = |one| router(&observed, &api.lease, now, one);
    page(state.routers(), key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// Removes a router that will not come back; addresses no longer wait for it.
#[utoipa::path(delete, path = "/routers/{router}", params(("router" = RouterId, Path)), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("router:Remove"))))]
pub(crate) async fn remove(
    _: May<RouterRemove>,
    State(api): State<Api>,
    Path(id): Path<RouterId>,
) -> Result<Json<Done>, Problem> {
    api.apply(vec![RouterChange::Remove(id).into()]).await?;
    Ok(Json(Done {}))
}
