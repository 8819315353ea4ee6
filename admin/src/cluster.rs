//! Clusters.

use api::{Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::ListClusters;

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::Parameters;

/// All clusters.
#[utoipa::path(get, path = "/clusters", operation_id = "ListClusters", params(PageQuery), responses((status = 200, body = Page<api::Cluster>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("cluster:List"))))]
pub(crate) async fn list(
    who: Authorized<ListClusters>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Cluster>>, Problem> {
    who.execute(&api, ListClusters(query)).await.map(Json)
}
