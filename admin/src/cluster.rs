//! Clusters.

use api::{Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::{ListClusterEvents, ListClusters};
use model::ClusterName;

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::{Parameters, Path};

/// All clusters.
#[utoipa::path(get, path = "/clusters", operation_id = "ListClusters", params(PageQuery), responses((status = 200, body = Page<api::Cluster>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("cluster:List"))))]
pub(crate) async fn list(
    who: Authorized<ListClusters>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Cluster>>, Problem> {
    who.execute(&api, ListClusters(query)).await.map(Json)
}

/// What happened to the services and instances of a cluster, newest first.
#[utoipa::path(get, path = "/clusters/{cluster}/events", operation_id = "ListClusterEvents", params(("cluster" = ClusterName, Path), PageQuery), responses((status = 200, body = Page<api::ClusterEvent>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("cluster:Events"))))]
pub(crate) async fn events(
    who: Authorized<ListClusterEvents>,
    State(api): State<Api>,
    Path(cluster): Path<ClusterName>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::ClusterEvent>>, Problem> {
    who.execute(&api, ListClusterEvents { cluster, query }).await.map(Json)
}
