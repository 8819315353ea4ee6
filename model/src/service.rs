//! Services and their deployments.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{DeploymentId, ServiceId, ServiceRevisionId};
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::placement::PlacementFailure;
use crate::time::Timestamp;

mod deployment;
mod new;
mod revision;

pub use deployment::{
    Deployment, DeploymentCause, DeploymentFailure, DeploymentStage, NewDeployment, RolledOut,
    RolloutState,
};
pub use new::NewService;
pub use revision::{LoadBalancer, RevisionOrigin, Route, ServiceRevision};

/// Keeps `desired_count` tasks of a task definition running. What they run, and how they are reached, is the revision's
/// that its deployment rolls out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name, unique in the cluster.
    pub name: ServiceName,
    /// ACTIVE, or DRAINING once it was removed and its tasks are being stopped.
    pub status: ServiceStatus,
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
    /// The deployment that counts (ECS: PRIMARY).
    pub deployment: Option<DeploymentId>,
    /// The digest of each followed tag that was last tried; left alone by a rollback, so a bad push is tried once.
    pub last_tried: BTreeMap<ContainerName, Digest>,
    /// The number of its newest revision; 0 before the first.
    pub last_revision: u32,
    /// Revisions of it that proved themselves, the newest last; a roll-back goes to that. At most
    /// [`KEPT_COMPLETED`](Self::KEPT_COMPLETED).
    pub completed: Vec<ServiceRevisionId>,
    /// Why a task of it cannot be placed now.
    pub placement_failure: Option<PlacementFailure>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl Service {
    /// How many revisions that proved themselves are kept, with their images.
    pub const KEPT_COMPLETED: usize = 10;
}

/// Whether a service is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// It is.
    Active,
    /// It was removed; its tasks are being stopped.
    Draining,
}

/// How many tasks a service keeps, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SchedulingStrategy {
    /// The desired count, spread over instances.
    Replica,
}

/// Bounds of a rolling deployment, in percent of the desired count (ECS `DeploymentConfiguration`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DeploymentConfiguration {
    /// At least this many healthy tasks, rounded up. 100 by default.
    pub minimum_healthy_percent: u32,
    /// At most this many running and pending tasks, rounded down. 200 by default.
    pub maximum_percent: u32,
    /// When to give a deployment up.
    pub deployment_circuit_breaker: CircuitBreaker,
    /// How long a deployment is watched once its tasks have replaced the older ones, in seconds, before it is COMPLETED
    /// and becomes the goal of roll-backs. 60 by default (ECS `bakeTimeInMinutes`).
    pub bake_time_in_seconds: u32,
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            deployment_circuit_breaker: CircuitBreaker::default(),
            bake_time_in_seconds: 60,
        }
    }
}

impl DeploymentConfiguration {
    /// How long a deployment is watched once its tasks have replaced the older ones.
    pub fn bake_time(&self) -> Duration {
        Duration::from_secs(u64::from(self.bake_time_in_seconds))
    }

    /// Running and pending tasks at most: `floor(desired * maximumPercent / 100)`.
    pub fn maximum(&self, desired: u32) -> u32 {
        let tasks = u64::from(desired) * u64::from(self.maximum_percent) / 100;
        u32::try_from(tasks).unwrap_or(u32::MAX)
    }

    /// Healthy tasks at least: `ceil(desired * minimumHealthyPercent / 100)`.
    pub fn minimum(&self, desired: u32) -> u32 {
        let tasks = (u64::from(desired) * u64::from(self.minimum_healthy_percent)).div_ceil(100);
        u32::try_from(tasks).unwrap_or(u32::MAX)
    }
}

/// ECS's classic circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CircuitBreaker {
    /// Whether a deployment whose tasks keep failing is given up. On by default, unlike ECS.
    pub enable: bool,
    /// Whether it is then rolled back to the last completed one. On by default, unlike ECS.
    pub rollback: bool,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self { enable: true, rollback: true }
    }
}

impl CircuitBreaker {
    /// Failed tasks in a row that open it: half of the desired count, at least 3 and at most 200.
    pub fn threshold(desired: u32) -> u32 {
        desired.div_ceil(2).clamp(3, 200)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_ecs_does() {
        let configuration = DeploymentConfiguration {
            minimum_healthy_percent: 50,
            maximum_percent: 150,
            ..DeploymentConfiguration::default()
        };
        assert_eq!((configuration.minimum(3), configuration.maximum(3)), (2, 4));
        assert_eq!((configuration.minimum(0), configuration.maximum(0)), (0, 0));
    }

    #[test]
    fn the_breaker_opens_at_ecs_threshold() {
        let thresholds = [0, 1, 6, 7, 25, 400, 10_000].map(CircuitBreaker::threshold);
        assert_eq!(thresholds, [3, 3, 3, 4, 13, 200, 200]);
    }
}
