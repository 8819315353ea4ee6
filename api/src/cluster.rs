//! Clusters.

use model::{ClusterId, ClusterName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name.
    pub cluster_name: ClusterName,
    /// Its id.
    pub cluster_id: ClusterId,
    /// Its services.
    pub active_services_count: u32,
    /// Tasks that run.
    pub running_tasks_count: u32,
    /// Tasks that do not run yet.
    pub pending_tasks_count: u32,
    /// Its instances.
    pub registered_instances_count: u32,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which cluster an operation on one entity is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ClusterQuery {
    /// The cluster's name; `default` unless it is given.
    #[serde(default = "default_cluster")]
    #[param(inline)]
    pub cluster: ClusterName,
}

/// The cluster that is made at first start.
pub fn default_cluster() -> ClusterName {
    "default".parse().expect("`default` is a cluster name")
}
