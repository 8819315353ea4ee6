//! Changes of listeners, target groups and rules.

use serde::{Deserialize, Serialize};

use crate::id::{RuleId, TargetGroupId};
use crate::routing::{Listener, Rule, TargetGroup};

/// What may happen to what routers serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RoutingChange {
    /// A new listener.
    CreateListener(Listener),
    /// A new target group.
    CreateTargetGroup(TargetGroup),
    /// The end of a target group. Refused while a revision of a service or a rule uses it.
    RemoveTargetGroup(TargetGroupId),
    /// A new rule. Refused when another of the listener has its priority, or its host and path.
    CreateRule(Rule),
    /// The end of a rule.
    RemoveRule(RuleId),
}
