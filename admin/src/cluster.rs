//! Clusters.

use api::{Page, PageQuery};
use axum::Json;
use axum::extract::State;

use crate::Api;
use crate::describe::instance::cluster;
use crate::may::{ClusterList, May};
use crate::page::page;
use crate::problem::Problem;
use crate::request::Parameters;

/// All clusters.
#[utoipa::path(get, path = "/clusters", params(PageQuery), responses((status = 200, body = Page<api::Cluster>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("cluster:List"))))]
pub(crate) async fn list(
    _: May<ClusterList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Cluster>>, Problem> {
    let state = api.state();
    let key = |one: &&model::Cluster| one.name.clone();
    let describe = |one| cluster(&state, one);
    page(state.clusters(), key, query.limit, query.next_token.as_ref(), describe).map(Json)
}
