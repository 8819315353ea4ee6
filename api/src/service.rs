//! Services, their deployments and events.

use std::collections::BTreeMap;

use model::{
    ClusterName, ContainerName, DeploymentCause, DeploymentConfiguration, DeploymentFailure,
    DeploymentId, DeploymentStage, EventKind, ImageReference, PlacementFailure, Revision,
    RolloutState, SchedulingStrategy, ServiceId, ServiceName, ServiceStatus, TargetGroupName,
    Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cluster::default_cluster;
use crate::page::{Limit, ListQuery, NextToken};
use crate::service_problem::ServiceProblem;
use crate::service_revision::RevisionImage;
use crate::task_definition::TaskDefinitionReference;

/// A service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Service {
    /// Its name.
    pub service_name: ServiceName,
    /// Its id.
    pub service_id: ServiceId,
    /// Its cluster.
    pub cluster_name: ClusterName,
    /// ACTIVE, or DRAINING once it was removed.
    pub status: ServiceStatus,
    /// How many tasks should run.
    pub desired_count: u32,
    /// How many of its tasks run.
    pub running_count: u32,
    /// How many do not run yet.
    pub pending_count: u32,
    /// The number of the revision that was asked for last, by people or by a push; after a rollback, of the one that it
    /// went back to.
    pub revision: u32,
    /// What that revision runs.
    pub task_definition: Revision,
    /// The images of that revision, by container.
    #[schema(value_type = BTreeMap<String, RevisionImage>)]
    pub images: BTreeMap<ContainerName, RevisionImage>,
    /// What is wrong with it now.
    pub problems: Vec<ServiceProblem>,
    /// Where it answers, if a rule leads to it.
    pub url: Option<String>,
    /// How many tasks it keeps, and where.
    pub scheduling_strategy: SchedulingStrategy,
    /// The bounds and the breaker of its deployments.
    pub deployment_configuration: DeploymentConfiguration,
    /// Whether a push to a tag that it names rolls out by itself.
    pub follow_tags: bool,
    /// Why a task of it cannot be placed now, for people.
    pub placement_failure: Option<String>,
    /// The same for programs.
    pub placement_failure_cause: Option<PlacementFailure>,
    /// Which container ports receive which target group's traffic.
    pub load_balancers: Vec<LoadBalancer>,
    /// How long after its start failed health checks of a task are overlooked.
    pub health_check_grace_period_seconds: u32,
    /// The one that counts first, then older ones that still have tasks.
    pub deployments: Vec<Deployment>,
    /// Where a rollback goes while a deployment is in progress: the newest revision that proved itself.
    pub proven_revision: Option<ProvenRevision>,
    /// Newest first; only some, and none in lists.
    pub events: Vec<ServiceEvent>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl Service {
    /// The deployment that counts; None before the first.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|one| one.status == DeploymentStatus::Primary)
    }
}

/// One container port in a target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// The target group.
    pub target_group_name: TargetGroupName,
    /// The container.
    pub container_name: ContainerName,
    /// Its port.
    pub container_port: u16,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Whether it is the one that counts.
    pub status: DeploymentStatus,
    /// The number of the service revision that it rolls out.
    pub revision: u32,
    /// What that runs.
    pub task_definition: Revision,
    /// `repository@digest` by container.
    #[schema(value_type = BTreeMap<String, ImageReference>)]
    pub images: BTreeMap<ContainerName, ImageReference>,
    /// How many tasks of it should run.
    pub desired_count: u32,
    /// How many run.
    pub running_count: u32,
    /// How many do not run yet.
    pub pending_count: u32,
    /// Tasks that failed in a row before they were healthy.
    pub failed_tasks: u32,
    /// Tasks that were healthy and then ended by themselves or failed their checks.
    pub crashed_tasks: u32,
    /// When the last task of either kind failed.
    pub last_failure_at: Option<Timestamp>,
    /// How far it is.
    pub rollout_state: RolloutState,
    /// How far it is with replacing what was in force before it.
    pub stage: DeploymentStage,
    /// What made it begin.
    pub cause: DeploymentCause,
    /// Why it is where it is, for people.
    pub rollout_state_reason: String,
    /// Why it failed, for programs.
    pub failure: Option<DeploymentFailure>,
    /// The deployment that this one goes back from.
    pub rollback_of: Option<DeploymentId>,
    /// When it started.
    pub created_at: Timestamp,
    /// By whom it was started.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Deployment {
    /// Until when it is watched, while it is.
    pub fn bakes_until(&self) -> Option<Timestamp> {
        match (self.rollout_state, self.stage) {
            (RolloutState::InProgress, DeploymentStage::Replaced { bake_until }) => bake_until,
            _ => None,
        }
    }
}

/// Whether a deployment counts, in ECS's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStatus {
    /// The one that counts.
    Primary,
    /// An older one that still has tasks.
    Active,
}

/// A service revision that proved itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProvenRevision {
    /// Its number.
    pub revision: u32,
    /// What it runs.
    pub task_definition: Revision,
}

/// Where a rollback goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RollbackRequest {
    /// The number of a revision that proved itself. While a deployment is in progress or has failed it is the newest of
    /// them by default, else the one before the one that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
}

/// Something that happened to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEvent {
    /// When.
    pub created_at: Timestamp,
    /// What, for people.
    pub message: String,
    /// The same for programs; absent where an older version wrote it down.
    #[serde(flatten)]
    pub event: Option<EventKind>,
}

/// Which services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListServicesQuery {
    /// The cluster's name; `default` unless it is given.
    #[serde(default = "default_cluster")]
    #[param(inline)]
    pub cluster: ClusterName,
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

/// Which events of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListEventsQuery {
    /// The cluster's name; `default` unless it is given.
    #[serde(default = "default_cluster")]
    #[param(inline)]
    pub cluster: ClusterName,
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

impl ListQuery for ListServicesQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

impl ListQuery for ListEventsQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

/// A service without traffic; `POST /deploy` makes one with a target group and a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateServiceRequest {
    /// Its name.
    pub service_name: ServiceName,
    /// Its cluster; `default` unless it is given.
    #[serde(default = "default_cluster")]
    pub cluster_name: ClusterName,
    /// What it runs.
    pub task_definition: TaskDefinitionReference,
    /// How many tasks should run.
    pub desired_count: u32,
    /// The bounds and the breaker of its deployments.
    #[serde(default)]
    pub deployment_configuration: DeploymentConfiguration,
    /// Whether a push to a tag that it names rolls out by itself; true by default.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub follow_tags: bool,
}

fn yes() -> bool {
    true
}

/// New settings of a service; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateServiceRequest {
    /// How many tasks should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<u32>,
    /// Starts a deployment when it is another than now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<TaskDefinitionReference>,
    /// The bounds and the breaker of its deployments, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_configuration: Option<DeploymentConfiguration>,
    /// Whether a push to a tag that it names rolls out by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_tags: Option<bool>,
    /// How long after its start failed health checks of a task are overlooked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<u32>,
    /// Starts a deployment though nothing changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_new_deployment: bool,
}
