//! Deployments: one roll-out of a service from the revisions that are in force to one other.
//!
//! ```text
//! STARTING --a task of it is healthy--> SERVING --older tasks are gone--> REPLACED --baked--> COMPLETED
//! older rules in force                  both in force                     its own rules alone
//! ```
//! Until it has replaced them it leaves the revisions before it in force; what it brings into force goes with it when it
//! is rolled back.

use serde::{Deserialize, Serialize};

use super::ServiceRevision;
use crate::id::{DeploymentId, ServiceId, ServiceRevisionId};
use crate::stop::Stopped;
use crate::time::Timestamp;

/// One roll-out of a service to one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service.
    pub service: ServiceId,
    /// What it rolls out.
    pub revision: ServiceRevisionId,
    /// The revisions that were in force when it began, the newest first: they stay until it has replaced them. Empty from
    /// then on.
    pub replaces: Vec<ServiceRevisionId>,
    /// How far it is with replacing them.
    pub stage: DeploymentStage,
    /// What made it begin.
    pub cause: DeploymentCause,
    /// Whether it counts, is done, or has ended otherwise.
    pub rollout_state: RolloutState,
    /// Why it is where it is, in a sentence for people. Nothing decides on it.
    pub rollout_state_reason: String,
    /// Why it was given up or stopped, if it was. None where an older version wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<DeploymentFailure>,
    /// Tasks that failed in a row: did not reach RUNNING, or were never healthy. A task that becomes healthy resets it.
    pub failed_tasks: u32,
    /// Tasks that were healthy and then ended by themselves or failed their checks. While the deployment is in progress
    /// nothing resets it; afterwards one that had run for long does.
    pub crashed_tasks: u32,
    /// When the last of them failed, for the back-off.
    pub last_failure_at: Option<Timestamp>,
    /// How the last one ended that was healthy before, in the words in which its event tells it: equal ones are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_crash: Option<String>,
    /// When it started.
    pub created_at: Timestamp,
    /// By whom it was started.
    pub created_by: String,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A deployment to be started. Everything else about it follows from what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service.
    pub service: ServiceId,
    /// What it rolls out.
    pub revision: RolledOut,
    /// What makes it begin.
    pub cause: DeploymentCause,
    /// When it starts.
    pub created_at: Timestamp,
    /// By whom it is started.
    pub created_by: String,
}

/// What a new deployment rolls out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RolledOut {
    /// A revision that is made with it.
    New(ServiceRevision),
    /// One that is there.
    Known(ServiceRevisionId),
}

impl RolledOut {
    /// The revision.
    pub fn id(&self) -> ServiceRevisionId {
        match self {
            Self::New(revision) => revision.id,
            Self::Known(id) => *id,
        }
    }
}

/// How far a deployment is with replacing what was in force before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum DeploymentStage {
    /// No task of it has been healthy yet: the rules of its revision are not in force.
    Starting,
    /// The rules of its revision are in force, beside those of the revisions that it replaces.
    Serving,
    /// It has replaced them: only the rules of its revision are in force.
    Replaced {
        /// Until when it is watched before it counts as complete. None where there is nothing to watch.
        bake_until: Option<Timestamp>,
    },
}

/// What made a deployment begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum DeploymentCause {
    /// Somebody asked for something else to run.
    Requested,
    /// A tag that the service follows moved.
    Pushed,
    /// The deployment before it failed.
    Failure {
        /// That one.
        of: DeploymentId,
    },
    /// Somebody asked to go back.
    Rollback {
        /// From this deployment.
        from: Option<DeploymentId>,
    },
}

impl DeploymentCause {
    /// The deployment that it goes back from; None where it goes forward.
    pub fn rollback_of(&self) -> Option<DeploymentId> {
        match self {
            Self::Requested | Self::Pushed => None,
            Self::Failure { of } => Some(*of),
            Self::Rollback { from } => *from,
        }
    }

    /// Whether it goes back to what proved itself before.
    pub fn is_rollback(&self) -> bool {
        match self {
            Self::Requested | Self::Pushed => false,
            Self::Failure { .. } | Self::Rollback { .. } => true,
        }
    }
}

/// Where a deployment is; the words of ECS's `rolloutState`, and STOPPED of its service deployments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Tasks are being replaced, or have been and are being watched.
    InProgress,
    /// The desired count of its own tasks is healthy, no older one is left, and its time to bake is over.
    Completed,
    /// Given up.
    Failed,
    /// Another one took its place before it was complete: nobody found fault with it.
    Stopped,
}

/// Why a deployment was given up or stopped.
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
        /// The revision with the settings that a push was built on, by number, where they had not proved themselves:
        /// they may be at fault rather than the image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unproven_settings: Option<u32>,
    },
    /// Another deployment took its place before it was complete.
    Superseded {
        /// The other one.
        by: DeploymentId,
    },
    /// Somebody went back before it was complete.
    RolledBack {
        /// The deployment that goes back.
        by: DeploymentId,
    },
}

impl Deployment {
    /// The deployment that it goes back from; None where it goes forward.
    pub fn rollback_of(&self) -> Option<DeploymentId> {
        self.cause.rollback_of()
    }

    /// The revisions whose rules are in force, the newest first.
    pub fn in_force(&self) -> impl Iterator<Item = ServiceRevisionId> {
        let (own, older) = match self.stage {
            DeploymentStage::Starting => (None, self.replaces.as_slice()),
            DeploymentStage::Serving => (Some(self.revision), self.replaces.as_slice()),
            DeploymentStage::Replaced { .. } => (Some(self.revision), [].as_slice()),
        };
        own.into_iter().chain(older.iter().copied())
    }

    /// Until when it is watched, while it is.
    pub fn bakes_until(&self) -> Option<Timestamp> {
        match (self.rollout_state, self.stage) {
            (RolloutState::InProgress, DeploymentStage::Replaced { bake_until }) => bake_until,
            _ => None,
        }
    }
}
