//! Listeners, rules, target groups and their targets.

use model::observed::TargetHealth;
use model::view::{TargetGroupView, TargetView};
use model::{Action, Observed, Rule, State, TargetGroupId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::at;

/// A listener.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerShape {
    pub(crate) listener_id: String,
    pub(crate) name: String,
    pub(crate) created_at: String,
}

impl ListenerShape {
    pub(crate) fn of(listener: &model::Listener) -> Self {
        Self {
            listener_id: listener.id.to_string(),
            name: listener.name.clone(),
            created_at: at(listener.created_at),
        }
    }
}

/// A rule.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RuleShape {
    pub(crate) rule_id: String,
    pub(crate) listener_name: String,
    /// 1 to 50000; null where it is derived from host and path.
    pub(crate) priority: Option<u16>,
    pub(crate) host_header: Vec<String>,
    pub(crate) path_pattern: Vec<String>,
    pub(crate) action: ActionShape,
    pub(crate) service_name: Option<String>,
    pub(crate) created_at: String,
}

/// What happens with a request that matches.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "type")]
pub(crate) enum ActionShape {
    /// To a target of this group.
    Forward { target_group_name: String },
    /// The router answers by itself.
    FixedResponse { status_code: u16, content_type: String, message_body: String },
}

impl RuleShape {
    pub(crate) fn of(state: &State, rule: &Rule) -> Self {
        let listener = state.listener(rule.listener);
        Self {
            rule_id: rule.id.to_string(),
            listener_name: listener.map_or_else(String::new, |listener| listener.name.clone()),
            priority: rule.priority,
            host_header: rule.conditions.host_header.clone(),
            path_pattern: rule.conditions.path_pattern.clone(),
            action: match &rule.action {
                Action::Forward { target_group } => ActionShape::Forward {
                    target_group_name: state
                        .target_group(*target_group)
                        .map_or_else(String::new, |group| group.name.to_string()),
                },
                Action::FixedResponse { status, content_type, body } => {
                    ActionShape::FixedResponse {
                        status_code: *status,
                        content_type: content_type.clone(),
                        message_body: body.clone(),
                    }
                }
            },
            service_name: rule.service.and_then(|id| state.service(id)).map(|s| s.name.to_string()),
            created_at: at(rule.created_at),
        }
    }
}

/// A target group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupShape {
    pub(crate) target_group_id: String,
    pub(crate) target_group_name: String,
    pub(crate) cluster_name: String,
    /// ELB's health check settings.
    #[schema(value_type = Object)]
    pub(crate) health_check: Value,
    pub(crate) deregistration_delay_seconds: u32,
    pub(crate) targets: Vec<TargetShape>,
}

/// A target.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetShape {
    pub(crate) task_id: String,
    pub(crate) address: String,
    /// initial, healthy, unhealthy, draining or unknown.
    pub(crate) health: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) in_flight: u32,
}

impl TargetGroupShape {
    /// All of them, with their targets and how the connected routers see them.
    pub(crate) fn all(state: &State, observed: &Observed) -> Vec<Self> {
        let views = state.router_view().target_groups.into_iter();
        let shape = |view: TargetGroupView| {
            let group = state.target_group(view.id)?;
            let targets = view.targets.into_iter();
            Some(Self {
                target_group_id: group.id.to_string(),
                target_group_name: group.name.to_string(),
                cluster_name: group.cluster.to_string(),
                health_check: serde_json::to_value(&group.health_check).unwrap_or_default(),
                deregistration_delay_seconds: group.deregistration_delay_seconds,
                targets: targets.map(|one| TargetShape::of(observed, group.id, &one)).collect(),
            })
        };
        views.filter_map(shape).collect()
    }
}

impl TargetShape {
    fn of(observed: &Observed, group: TargetGroupId, target: &TargetView) -> Self {
        let seen = observed.target_health(group, target.task);
        let health = match seen.as_ref().map(|seen| seen.health) {
            _ if target.draining => "draining",
            Some(TargetHealth::Initial) => "initial",
            Some(TargetHealth::Healthy) => "healthy",
            Some(TargetHealth::Unhealthy) => "unhealthy",
            None => "unknown",
        };
        Self {
            task_id: target.task.to_string(),
            address: target.direct.to_string(),
            health,
            in_flight: seen.as_ref().map_or(0, |seen| seen.in_flight),
            reason: seen.and_then(|seen| seen.reason),
        }
    }
}
