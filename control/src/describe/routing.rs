//! Listeners, rules, target groups and their targets.

use api::{FixedResponse, RuleAction, TargetHealth};
use model::observed::TargetHealth as Seen;
use model::view::{TargetGroupView, TargetView};
use model::{Action, Observed, State, TargetGroupId};

/// A listener.
pub(crate) fn listener(listener: &model::Listener) -> api::Listener {
    api::Listener {
        listener_id: listener.id,
        name: listener.name.clone(),
        created_at: listener.created_at,
    }
}

/// A rule; None where its listener or its target group is gone, and it with them.
pub(crate) fn rule(state: &State, rule: &model::Rule) -> Option<api::Rule> {
    Some(api::Rule {
        rule_id: rule.id,
        listener_name: state.listener(rule.listener)?.name.clone(),
        priority: rule.priority,
        host_header: rule.conditions.host_header.clone(),
        path_pattern: rule.conditions.path_pattern.clone(),
        action: match &rule.action {
            Action::Forward { target_group } => RuleAction::Forward {
                target_group_name: state.target_group(*target_group)?.name.clone(),
            },
            Action::FixedResponse { status, content_type, body } => {
                RuleAction::FixedResponse(FixedResponse {
                    status_code: *status,
                    content_type: content_type.clone(),
                    message_body: body.clone(),
                })
            }
        },
        service_name: rule.service.and_then(|id| state.service(id)).map(|one| one.name.clone()),
        service_revision: state.owner_of_rule(rule.id).map(|(_, revision)| revision.number),
        created_at: rule.created_at,
    })
}

/// All target groups with their targets, and how the connected routers see them.
pub(crate) fn target_groups(state: &State, observed: &Observed) -> Vec<api::TargetGroup> {
    let view = state.router_view();
    let describe = |(group, targets): (&TargetGroupView, Vec<&TargetView>)| {
        let group = state.target_group(group.id)?;
        let balancer = state.user_of_target_group(group.id).map(|(_, balancer)| balancer);
        Some(api::TargetGroup {
            target_group_id: group.id,
            target_group_name: group.name.clone(),
            cluster_name: group.cluster.clone(),
            health_check: balancer.map(|one| one.health_check.clone()).unwrap_or_default(),
            deregistration_delay_seconds: balancer
                .map_or(0, |one| one.deregistration_delay_seconds),
            targets: targets.into_iter().map(|one| target(observed, group.id, one)).collect(),
        })
    };
    view.groups().filter_map(describe).collect()
}

fn target(observed: &Observed, group: TargetGroupId, target: &TargetView) -> api::Target {
    let seen = observed.target_health(group, target.task);
    let health = match seen.as_ref().map(|seen| seen.health) {
        _ if target.draining => TargetHealth::Draining,
        Some(Seen::Initial) => TargetHealth::Initial,
        Some(Seen::Healthy) => TargetHealth::Healthy,
        Some(Seen::Unhealthy) => TargetHealth::Unhealthy,
        None => TargetHealth::Unknown,
    };
    api::Target {
        task_id: target.task,
        address: target.direct,
        health,
        in_flight: seen.as_ref().map_or(0, |seen| seen.in_flight),
        reason: seen.and_then(|seen| seen.reason),
    }
}
