//! Clusters.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Api;
use crate::may::{ClusterList, May};
use crate::problem::Problem;
use crate::shape::instance::ClusterShape;

/// All clusters.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Clusters {
    clusters: Vec<ClusterShape>,
}

/// All clusters.
#[utoipa::path(get, path = "/clusters", responses((status = 200, body = Clusters), (status = "4XX", body = Problem)), extensions(("x-action" = json!("cluster:List"))))]
pub(crate) async fn list(_: May<ClusterList>, State(api): State<Api>) -> Json<Clusters> {
    let state = api.state();
    Json(Clusters { clusters: state.clusters().map(|one| ClusterShape::of(&state, one)).collect() })
}
