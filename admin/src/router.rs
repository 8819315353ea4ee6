//! Routers.

use axum::Json;
use axum::extract::State;
use model::{RouterChange, RouterId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::instance::Done;
use crate::may::{May, RouterList, RouterRemove};
use crate::problem::Problem;
use crate::request::Path;
use crate::shape::instance::RouterShape;

/// All routers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Routers {
    routers: Vec<RouterShape>,
}

/// All routers.
#[utoipa::path(get, path = "/routers", responses((status = 200, body = Routers), (status = "4XX", body = Problem)), extensions(("x-action" = json!("router:List"))))]
pub(crate) async fn list(_: May<RouterList>, State(api): State<Api>) -> Json<Routers> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let shape = |one| RouterShape::of(&observed, &api.lease, now, one);
    Json(Routers { routers: state.routers().map(shape).collect() })
}

/// Removes a router that will not come back; addresses no longer wait for it.
#[utoipa::path(delete, path = "/routers/{router}", params(("router" = String, Path)), responses((status = 200, body = Done), (status = "4XX", body = Problem)), extensions(("x-action" = json!("router:Remove"))))]
pub(crate) async fn remove(
    _: May<RouterRemove>,
    State(api): State<Api>,
    Path(id): Path<RouterId>,
) -> Result<Json<Done>, Problem> {
    api.apply(vec![RouterChange::Remove(id).into()]).await?;
    Ok(Json(Done {}))
}
