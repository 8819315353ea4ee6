//! Revisions of a service: all that a deployment rolls out.

use std::collections::BTreeMap;

use model::{
    Conditions, ContainerName, DeploymentStage, Digest, HealthCheck, ImageReference,
    RevisionOrigin, RolloutState, ServiceRevisionId, TargetGroupName, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A revision of a service. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRevision {
    /// How people name it: 1 for the first of its service, and one more for each that follows.
    pub revision: u32,
    /// Its id.
    pub service_revision_id: ServiceRevisionId,
    /// What made it.
    pub origin: RevisionOrigin,
    /// What its tasks run.
    pub task_definition: model::Revision,
    /// What each container runs.
    #[schema(value_type = BTreeMap<String, RevisionImage>)]
    pub images: BTreeMap<ContainerName, RevisionImage>,
    /// How it is reached.
    pub load_balancers: Vec<RevisionLoadBalancer>,
    /// What differs from the revision that it was built on. Empty for the first, and where that is not kept any more.
    pub changed: Vec<RevisionAspect>,
    /// How its last deployment went. Null where that is not kept any more.
    pub outcome: Option<RevisionOutcome>,
    /// Whether its rules are in force.
    pub in_force: bool,
    /// Whether it proved itself: a roll-back may go to it.
    pub proven: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// An image as it was asked for and as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionImage {
    /// As the task definition writes it.
    pub image: ImageReference,
    /// What that was.
    pub digest: Digest,
}

/// One container port that takes traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionLoadBalancer {
    /// The target group.
    pub target_group_name: TargetGroupName,
    /// The container.
    pub container_name: ContainerName,
    /// Its port.
    pub container_port: u16,
    /// How each router checks its targets.
    pub health_check: HealthCheck,
    /// How long a target that leaves may take to finish what it has.
    pub deregistration_delay_seconds: u32,
    /// What requests get there.
    #[schema(value_type = Vec<Object>)]
    pub conditions: Vec<Conditions>,
}

/// What can differ between two revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevisionAspect {
    /// An image's digest.
    Image,
    /// The task definition, beside what follows.
    TaskDefinition,
    /// Environment variables.
    Environment,
    /// CPU or memory.
    Resources,
    /// The command.
    Command,
    /// The port that takes the traffic.
    Port,
    /// Hosts or paths.
    Routes,
    /// The health check.
    HealthCheck,
}

/// How a deployment went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionOutcome {
    /// Where it is.
    pub rollout_state: RolloutState,
    /// How far it is with replacing what was in force before it.
    pub stage: DeploymentStage,
    /// Why it is where it is, for people.
    pub reason: String,
    /// When it last changed.
    pub updated_at: Timestamp,
}
