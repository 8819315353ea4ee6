//! Changes of deployments.

use serde::{Deserialize, Serialize};

use crate::id::DeploymentId;
use crate::service::{DeploymentFailure, NewDeployment};
use crate::time::Timestamp;

/// What may happen to a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeploymentChange {
    /// Starts a roll-out and makes it the one that counts; the one before is stopped where it was in progress. Refused when
    /// its revision is not the next one, or a rule of it is taken. Writes `last_tried` unless it goes back.
    Start(NewDeployment),
    /// Its tasks are healthy and no older one is left: the rules of the revisions that it replaces go, and it is watched
    /// until then. Each task that fails in the meantime makes that longer.
    Bake {
        /// The deployment.
        deployment: DeploymentId,
        /// Until when.
        until: Timestamp,
    },
    /// Its tasks are healthy, no older one is left, and it was watched: its revision is where roll-backs go. With a
    /// desired count of 0 it proves nothing, and roll-backs go where they went.
    Complete(DeploymentId),
    /// It is given up.
    Fail {
        /// The deployment.
        deployment: DeploymentId,
        /// Why.
        failure: DeploymentFailure,
    },
}
