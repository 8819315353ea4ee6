//! What is wrong with a service now.

use model::{DeploymentCause, DeploymentId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that is wrong with a service now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum ServiceProblem {
    /// Tasks of it cannot be placed.
    NotPlaced {
        /// Why, for people.
        reason: String,
        /// What to do about it, for people, where there is something.
        advice: Option<String>,
    },
    /// Tasks of it fail their health checks.
    Unhealthy {
        /// How many.
        tasks: u32,
        /// What the check of one of them found, for people.
        check: String,
    },
    /// Its tasks are healthy and end by themselves, again and again.
    CrashLoop {
        /// How many have.
        exits: u32,
        /// How the last one ended, for people.
        reason: Option<String>,
        /// When.
        last_at: Option<Timestamp>,
    },
    /// What was asked for last failed.
    DeploymentFailed {
        /// The deployment.
        deployment: DeploymentId,
        /// What made it begin.
        cause: DeploymentCause,
        /// Why it failed, for people.
        reason: String,
        /// Whether it was rolled back.
        rolled_back: bool,
    },
}
