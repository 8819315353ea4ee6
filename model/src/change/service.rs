//! Changes of services.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::ServiceId;
use crate::name::ContainerName;
use crate::placement::PlacementFailure;
use crate::service::{DeploymentConfiguration, NewService};

/// What may happen to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ServiceChange {
    /// A new one; its deployment comes next. Refused when the name is taken or what it names does not exist.
    Create(NewService),
    /// New settings. A new revision takes a deployment of its own.
    Update(ServiceUpdate),
    /// People no longer want it: its status becomes DRAINING, its tasks are stopped, then it goes.
    Drain(ServiceId),
    /// It has no task and no rule left: removes it and the target groups that only it uses.
    Remove(ServiceId),
    /// Records that these digests need no deployment, since they are what runs.
    NoteTried {
        /// The service.
        service: ServiceId,
        /// By container.
        digests: BTreeMap<ContainerName, Digest>,
    },
    /// Why tasks of it cannot be placed; None when they can again.
    SetPlacementFailure {
        /// The service.
        service: ServiceId,
        /// What is in the way.
        failure: Option<PlacementFailure>,
    },
}

/// New settings of a service; what is None stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceUpdate {
    /// The service; must be there and ACTIVE.
    pub service: Option<ServiceId>,
    /// How many tasks should run.
    pub desired_count: Option<u32>,
    /// Bounds and breaker.
    pub deployment_configuration: Option<DeploymentConfiguration>,
    /// How long failed checks of a new task are overlooked.
    pub health_check_grace_period_seconds: Option<u32>,
    /// Whether pushes roll out by themselves.
    pub follow_tags: Option<bool>,
}
