//! What is said of a service when it is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DeploymentConfiguration, SchedulingStrategy, Service, ServiceStatus};
use crate::id::ServiceId;
use crate::name::{ClusterName, ServiceName};
use crate::time::Timestamp;

/// A service to be made. Everything else about a service follows from what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewService {
    /// Its id.
    pub id: ServiceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name, unique in the cluster.
    pub name: ServiceName,
    /// How many tasks it keeps, and where.
    pub scheduling_strategy: SchedulingStrategy,
    /// How many tasks should run.
    pub desired_count: u32,
    /// The bounds and the breaker of its deployments.
    pub deployment_configuration: DeploymentConfiguration,
    /// How long after its start failed health checks of a task are overlooked.
    pub health_check_grace_period_seconds: u32,
    /// Whether a push to a tag that it names rolls out by itself.
    pub follow_tags: bool,
    /// When it is made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl NewService {
    /// A service that keeps one task, with the default bounds. What it runs comes with its first deployment.
    pub fn new(
        id: ServiceId,
        cluster: ClusterName,
        name: ServiceName,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            cluster,
            name,
            scheduling_strategy: SchedulingStrategy::Replica,
            desired_count: 1,
            deployment_configuration: DeploymentConfiguration::default(),
            health_check_grace_period_seconds: 0,
            follow_tags: true,
            created_at,
            created_by: String::new(),
        }
    }
}

impl From<NewService> for Service {
    fn from(new: NewService) -> Self {
        Self {
            id: new.id,
            cluster: new.cluster,
            name: new.name,
            status: ServiceStatus::Active,
            scheduling_strategy: new.scheduling_strategy,
            desired_count: new.desired_count,
            deployment_configuration: new.deployment_configuration,
            health_check_grace_period_seconds: new.health_check_grace_period_seconds,
            follow_tags: new.follow_tags,
            deployment: None,
            last_tried: BTreeMap::new(),
            last_revision: 0,
            completed: Vec::new(),
            placement_failure: None,
            created_at: new.created_at,
            created_by: new.created_by,
        }
    }
}
