//! Listeners, target groups and rules.

use super::{Applied, Write, exists, not_found};
use crate::change::RoutingChange;
use crate::id::{RuleId, TargetGroupId};
use crate::refusal::{InvalidRouting, Refusal, RuleOverlap, User};
use crate::routing::{Action, Conditions, Listener, Rule, TargetGroup};
use std::collections::BTreeSet;

/// ALB's highest priority number.
const LAST_PRIORITY: u16 = 50_000;
/// ALB's longest pattern.
const LONGEST_PATTERN: usize = 128;
/// Patterns of one rule: more than ALB takes. Two rules are compared by every pair of host and path.
const MOST_PATTERNS: usize = 20;

impl Write<'_> {
    pub(super) fn routing(&mut self, change: &RoutingChange) -> Applied {
        match change {
            RoutingChange::CreateListener(listener) => self.create_listener(listener),
            RoutingChange::PutTargetGroup(group) => self.put_target_group(group),
            RoutingChange::RemoveTargetGroup(id) => self.remove_target_group(*id),
            RoutingChange::CreateRule(rule) => self.create_rule(rule),
            RoutingChange::RemoveRule(id) => self.remove_rule(*id),
        }
    }

    fn create_listener(&mut self, listener: &Listener) -> Applied {
        let taken = |known: &Listener| known.id == listener.id || known.name == listener.name;
        if self.state.listeners().any(taken) {
            return Err(exists("listener", &listener.name));
        }
        self.put(listener.clone());
        Ok(())
    }

    fn put_target_group(&mut self, group: &TargetGroup) -> Applied {
        if self.state.cluster(&group.cluster).is_none() {
            return Err(not_found("cluster", &group.cluster));
        }
        let known = self.state.target_group_named(&group.cluster, &group.name);
        if known.is_some_and(|known| known.id != group.id) {
            return Err(exists("target group", &group.name));
        }
        let check = &group.health_check;
        if check.interval_seconds == 0
            || check.timeout_seconds == 0
            || check.healthy_threshold == 0
            || check.unhealthy_threshold == 0
        {
            return Err(InvalidRouting::HealthCheckZero.into());
        }
        if !check.path.starts_with('/') {
            return Err(InvalidRouting::HealthCheckPath(check.path.clone()).into());
        }
        if known != Some(group) {
            self.put(group.clone());
        }
        Ok(())
    }

    fn remove_target_group(&mut self, id: TargetGroupId) -> Applied {
        let group = self.state.target_group(id).ok_or_else(|| not_found("target group", id))?;
        let in_use =
            |by| Err(Refusal::InUse { kind: "target group", name: group.name.to_string(), by });
        if let Some(service) = self
            .state
            .services()
            .find(|service| service.load_balancers.iter().any(|lb| lb.target_group == id))
        {
            return in_use(User::Service(service.name.clone()));
        }
        if let Some(rule) = self.state.rules().find(|rule| forwards_to(rule, id)) {
            return in_use(User::Rule(rule.id));
        }
        self.remove::<TargetGroup>(id);
        Ok(())
    }

    fn create_rule(&mut self, rule: &Rule) -> Applied {
        if self.state.rule(rule.id).is_some() {
            return Err(exists("rule", rule.id));
        }
        if self.state.listener(rule.listener).is_none() {
            return Err(not_found("listener", rule.listener));
        }
        match &rule.action {
            Action::Forward { target_group }
                if self.state.target_group(*target_group).is_none() =>
            {
                return Err(not_found("target group", target_group));
            }
            Action::FixedResponse { status, content_type: _, body: _ } if !matches!(status, 200..=299 | 400..=599) =>
            {
                return Err(InvalidRouting::FixedResponse(*status).into());
            }
            Action::Forward { .. } | Action::FixedResponse { .. } => {}
        }
        if let Some(priority) = rule.priority.filter(|p| !(1..=LAST_PRIORITY).contains(p)) {
            return Err(InvalidRouting::Priority(priority).into());
        }
        check_patterns(&rule.conditions)?;
        let others = self.state.rules().filter(|other| other.listener == rule.listener);
        if let Some((other, overlap)) = others.into_iter().find_map(|other| conflict(rule, other)) {
            return Err(Refusal::RuleConflict { other, overlap });
        }
        self.put(rule.clone());
        Ok(())
    }

    fn remove_rule(&mut self, id: RuleId) -> Applied {
        if !self.remove::<Rule>(id) {
            return Err(not_found("rule", id));
        }
        Ok(())
    }
}

/// Whether the rule sends requests to this group.
pub(super) fn forwards_to(rule: &Rule, id: TargetGroupId) -> bool {
    match &rule.action {
        Action::Forward { target_group } => *target_group == id,
        Action::FixedResponse { .. } => false,
    }
}

fn check_patterns(conditions: &Conditions) -> Applied {
    let count = conditions.host_header.len() + conditions.path_pattern.len();
    if count > MOST_PATTERNS {
        return Err(InvalidRouting::Patterns { count, most: MOST_PATTERNS }.into());
    }
    for host in &conditions.host_header {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._*?:[]".contains(&byte);
        if host.is_empty() || host.len() > LONGEST_PATTERN || !host.bytes().all(fits) {
            return Err(InvalidRouting::HostPattern(host.clone()).into());
        }
    }
    for path in &conditions.path_pattern {
        let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
        if path.is_empty() || path.len() > LONGEST_PATTERN || !path.bytes().all(fits) {
            return Err(InvalidRouting::PathPattern(path.clone()).into());
        }
        if !path.starts_with(['/', '*', '?']) {
            return Err(InvalidRouting::PathNeverMatches(path.clone()).into());
        }
    }
    Ok(())
}

/// Which pairs of host and path two rules of the same kind of priority share.
fn conflict(new: &Rule, other: &Rule) -> Option<(RuleId, RuleOverlap)> {
    match (new.priority, other.priority) {
        (Some(a), Some(b)) if a == b => Some((other.id, RuleOverlap::Priority(a))),
        (None, None) => {
            let known = pairs(&other.conditions);
            let (host, path) = pairs(&new.conditions).into_iter().find(|p| known.contains(p))?;
            Some((other.id, RuleOverlap::HostAndPath { host, path }))
        }
        _ => None,
    }
}

fn pairs(conditions: &Conditions) -> BTreeSet<(String, String)> {
    let any = |list: &[String]| match list {
        [] => vec!["*".to_owned()],
        some => some.to_vec(),
    };
    let paths = any(&conditions.path_pattern);
    any(&conditions.host_header)
        .into_iter()
        .flat_map(|host| {
            let host = host.to_ascii_lowercase();
            paths.iter().map(move |path| (host.clone(), path.clone())).collect::<Vec<_>>()
        })
        .collect()
}
