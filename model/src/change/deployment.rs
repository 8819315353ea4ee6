//! Changes of deployments.

use serde::{Deserialize, Serialize};

use crate::id::DeploymentId;
use crate::service::{Deployment, DeploymentFailure};

/// What may happen to a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeploymentChange {
    /// Starts a roll-out and makes it the one that counts. The one before is superseded. Writes `last_tried` unless it
    /// is a rollback. Traffic follows a container's only port where the new revision moves it.
    Start(Deployment),
    /// Its tasks are healthy and no older one is left.
    Complete(DeploymentId),
    /// It is given up.
    Fail {
        /// The deployment.
        deployment: DeploymentId,
        /// Why.
        failure: DeploymentFailure,
    },
}
