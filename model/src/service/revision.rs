//! What a deployment rolls out, as a whole: a roll-back brings all of it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::definition::Revision;
use crate::id::{ListenerId, RuleId, ServiceId, ServiceRevisionId, TargetGroupId};
use crate::image::PinnedImage;
use crate::name::ContainerName;
use crate::routing::{Action, Conditions, HealthCheck, Rule};
use crate::time::Timestamp;

/// All that a deployment of a service rolls out (ECS service revision). It never changes: what runs otherwise, or is
/// reached otherwise, is another revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceRevision {
    /// Its id.
    pub id: ServiceRevisionId,
    /// The service.
    pub service: ServiceId,
    /// 1 for the first of its service, and one more for each that follows: how people name it.
    pub number: u32,
    /// The revision that it was built on: the one that was rolled out before it. None for the first.
    pub base: Option<ServiceRevisionId>,
    /// What made it.
    pub origin: RevisionOrigin,
    /// What its tasks run.
    pub task_definition: Revision,
    /// The digest of each container's image.
    pub images: BTreeMap<ContainerName, PinnedImage>,
    /// Which container ports take traffic, and how.
    pub load_balancers: Vec<LoadBalancer>,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
}

/// What made a revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevisionOrigin {
    /// Somebody asked for it.
    Requested,
    /// A tag that the service follows moved.
    Pushed,
}

/// One container port in a target group, with what ELB keeps at the target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancer {
    /// The target group.
    pub target_group: TargetGroupId,
    /// The container.
    pub container_name: ContainerName,
    /// Its port.
    pub container_port: u16,
    /// How each router checks a target of this revision.
    pub health_check: HealthCheck,
    /// How long a target that leaves may take to finish what it has. ALB's default is 300; Berth's is 30.
    pub deregistration_delay_seconds: u32,
    /// How requests get there.
    pub routes: Vec<Route>,
}

/// A rule that comes and goes with its revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// The id of the rule. The same in each revision that has the same conditions.
    pub id: RuleId,
    /// The listener.
    pub listener: ListenerId,
    /// What a request must be. Its priority follows from how specific they are.
    pub conditions: Conditions,
}

impl ServiceRevision {
    /// The rules that are in force while it is.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.load_balancers.iter().flat_map(move |balancer| {
            balancer.routes.iter().map(move |route| Rule {
                id: route.id,
                listener: route.listener,
                priority: None,
                conditions: route.conditions.clone(),
                action: Action::Forward { target_group: balancer.target_group },
                service: Some(self.service),
                created_at: self.created_at,
            })
        })
    }

    /// Whether it says the same as another one of the service, apart from what names it.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.task_definition == other.task_definition
            && self.images == other.images
            && self.load_balancers == other.load_balancers
    }
}
