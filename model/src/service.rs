//! Services and their deployments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::Revision;
use crate::digest::Digest;
use crate::id::{DeploymentId, ServiceId, TargetGroupId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::placement::PlacementFailure;
use crate::stop::Stopped;
use crate::task::Task;
use crate::time::Timestamp;

mod new;

pub use new::NewService;

/// Keeps `desired_count` tasks of a task definition running.
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
    /// The revision that people asked for; after a rollback, the one rolled back to.
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
    /// The deployment that counts (ECS: PRIMARY).
    pub deployment: Option<DeploymentId>,
    /// The digest of each followed tag that was last tried; left alone by a rollback, so a bad push is tried once.
    pub last_tried: BTreeMap<ContainerName, Digest>,
    /// What the last deployment that completed runs: where a rollback goes while another is in progress.
    pub last_completed: Option<CompletedDeployment>,
    /// The one before it: where a rollback goes from a completed one.
    pub previous_completed: Option<CompletedDeployment>,
    /// Why a task of it cannot be placed now.
    pub placement_failure: Option<PlacementFailure>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// What a completed deployment ran, kept after its record is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CompletedDeployment {
    /// The deployment.
    pub id: DeploymentId,
    /// Its revision.
    pub task_definition: Revision,
    /// Its digests.
    pub images: BTreeMap<ContainerName, PinnedImage>,
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
}

impl Default for DeploymentConfiguration {
    fn default() -> Self {
        Self {
            minimum_healthy_percent: 100,
            maximum_percent: 200,
            deployment_circuit_breaker: CircuitBreaker::default(),
        }
    }
}

impl DeploymentConfiguration {
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

/// One container port in a target group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LoadBalancer {
    /// The target group.
    pub target_group: TargetGroupId,
    /// The container.
    pub container_name: ContainerName,
    /// Its port.
    pub container_port: u16,
}

/// One roll-out of a service to one revision and one set of image digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service.
    pub service: ServiceId,
    /// The revision.
    pub task_definition: Revision,
    /// The digest of each container's image, resolved when it started.
    pub images: BTreeMap<ContainerName, PinnedImage>,
    /// How far it is.
    pub rollout_state: RolloutState,
    /// Why it is where it is, in a sentence for people. Nothing decides on it.
    pub rollout_state_reason: String,
    /// Why it failed, if it did. None where an older version wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<DeploymentFailure>,
    /// The deployment that failed, when this one goes back from it.
    pub rollback_of: Option<DeploymentId>,
    /// Tasks that failed in a row: did not reach RUNNING, or were never healthy. A task that becomes healthy resets it.
    pub failed_tasks: u32,
    /// When the last of them failed, for the back-off.
    pub last_failure_at: Option<Timestamp>,
    /// When it started.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Deployment {
    /// Whether a task runs what the deployment wants: its own do. One that goes back also keeps the tasks that ran the
    /// same before, so that going back is as quick as stopping what failed.
    pub fn owns(&self, task: &Task) -> bool {
        let runs_the_same = || {
            task.task_definition == self.task_definition
                && task.containers().iter().all(|c| self.images.get(&c.name) == Some(&c.image))
        };
        task.deployment == Some(self.id) || (self.rollback_of.is_some() && runs_the_same())
    }
}

/// How far a deployment is; the words of ECS's `rolloutState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being replaced.
    InProgress,
    /// The desired count of its own tasks is healthy and no older one is left.
    Completed,
    /// Given up.
    Failed,
}

/// Why a deployment failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum DeploymentFailure {
    /// Too many of its tasks failed in a row, so it was given up.
    TasksFailed {
        /// How many.
        count: u32,
        /// Why the last of them stopped, if that is still known.
        last: Option<Stopped>,
    },
    /// Another deployment took its place before it was complete.
    Superseded {
        /// The other one.
        by: DeploymentId,
    },
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
