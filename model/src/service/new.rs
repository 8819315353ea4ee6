//! What is said of a service when it is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{DeploymentConfiguration, LoadBalancer, SchedulingStrategy, Service, ServiceStatus};
use crate::definition::Revision;
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
    /// The revision that its first deployment runs.
    pub task_definition: Revision,
    /// How many tasks should run.
    pub desired_count: u32,
    /// The bounds and the breaker of its deployments.
    pub deployment_configuration: DeploymentConfiguration,
    /// How long after its start failed health checks of a task are overlooked.
    pub health_check_grace_period_seconds: u32,
    /// Which container ports receive which target group's traffic.
    pub load_balancers: Vec<LoadBalancer>,
    /// Whether a push to a tag that it names rolls out by itself.
    pub follow_tags: bool,
    /// When it is made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl NewService {
    /// A service that keeps one task without traffic, with the default bounds.
    pub fn new(
        id: ServiceId,
        cluster: ClusterName,
        name: ServiceName,
        task_definition: Revision,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            cluster,
            name,
            scheduling_strategy: SchedulingStrategy::Replica,
            task_definition,
            desired_count: 1,
            deployment_configuration: DeploymentConfiguration::default(),
            health_check_grace_period_seconds: 0,
            load_balancers: Vec::new(),
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
            task_definition: new.task_definition,
            desired_count: new.desired_count,
            deployment_configuration: new.deployment_configuration,
            health_check_grace_period_seconds: new.health_check_grace_period_seconds,
            load_balancers: new.load_balancers,
            follow_tags: new.follow_tags,
            deployment: None,
            last_tried: BTreeMap::new(),
            last_completed: None,
            previous_completed: None,
            placement_failure: None,
            created_at: new.created_at,
            created_by: new.created_by,
        }
    }
}
