//! Listeners, target groups and rules.

use super::{Applied, Write, exists, not_found};
use crate::change::RoutingChange;
use crate::id::{RuleId, ServiceId, TargetGroupId};
use crate::refusal::{InvalidRouting, Refusal, RuleOverlap, User};
use crate::routing::{Action, Conditions, HealthCheck, Listener, Rule, TargetGroup};
use crate::service::ServiceRevision;
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
            RoutingChange::CreateTargetGroup(group) => self.create_target_group(group),
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

    fn create_target_group(&mut self, group: &TargetGroup) -> Applied {
        if self.state.cluster(&group.cluster).is_none() {
            return Err(not_found("cluster", &group.cluster));
        }
        let known = self.state.target_group_named(&group.cluster, &group.name);
        if known.is_some() || self.state.target_group(group.id).is_some() {
            return Err(exists("target group", &group.name));
        }
        self.put(group.clone());
        Ok(())
    }

    fn remove_target_group(&mut self, id: TargetGroupId) -> Applied {
        let group = self.state.target_group(id).ok_or_else(|| not_found("target group", id))?;
        if let Some(by) = self.user_of_group(id) {
            let name = group.name.to_string();
            return Err(Refusal::InUse { kind: "target group", name, by });
        }
        self.remove::<TargetGroup>(id);
        Ok(())
    }

    /// Who uses a target group: a revision that a service has, or a rule.
    pub(super) fn user_of_group(&self, id: TargetGroupId) -> Option<User> {
        let mut revisions = self.state.service_revisions();
        let uses = |revision: &ServiceRevision| {
            revision.load_balancers.iter().any(|balancer| balancer.target_group == id)
        };
        let service = revisions.find(|revision| uses(revision)).map(|revision| revision.service);
        if let Some(service) = service.and_then(|id| self.state.service(id)) {
            return Some(User::Service(service.name.clone()));
        }
        let mut rules = self.state.rules();
        rules.find(|rule| forwards_to(rule, id)).map(|rule| User::Rule(rule.id))
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
            Action::FixedResponse { status: _, content_type, body }
                if content_type.chars().any(char::is_control) || body.contains('\0') =>
            {
                return Err(InvalidRouting::FixedResponseText.into());
            }
            Action::Forward { .. } | Action::FixedResponse { .. } => {}
        }
        if let Some(priority) = rule.priority.filter(|p| !(1..=LAST_PRIORITY).contains(p)) {
            return Err(InvalidRouting::Priority(priority).into());
        }
        check_patterns(&rule.conditions)?;
        self.check_conflicts(rule, None)?;
        self.put(rule.clone());
        Ok(())
    }

    /// Whether no other rule is in the way: none that people made, and none of a revision that holds its hosts and paths,
    /// those of the service `but` aside.
    pub(super) fn check_conflicts(&self, rule: &Rule, but: Option<ServiceId>) -> Applied {
        let services = self.state.services().filter(|service| Some(service.id) != but);
        let held = services.flat_map(|service| {
            let revisions = self.state.reserving(service);
            let rules = revisions.into_iter().flat_map(ServiceRevision::rules);
            rules.map(|rule| (rule, Some(service.name.clone()))).collect::<Vec<_>>()
        });
        let made = self.state.rules().cloned().map(|rule| (rule, None));
        let mut others = held.chain(made).filter(|(other, _)| other.listener == rule.listener);
        others
            .find_map(|(other, service)| {
                let (other, overlap) = conflict(rule, &other)?;
                Some(Err(Refusal::RuleConflict { other, service, overlap }))
            })
            .unwrap_or(Ok(()))
    }

    fn remove_rule(&mut self, id: RuleId) -> Applied {
        if !self.remove::<Rule>(id) {
            return Err(not_found("rule", id));
        }
        Ok(())
    }
}

/// Whether the rule sends requests to this group.
fn forwards_to(rule: &Rule, id: TargetGroupId) -> bool {
    match &rule.action {
        Action::Forward { target_group } => *target_group == id,
        Action::FixedResponse { .. } => false,
    }
}

/// What makes sense of a health check.
pub(super) fn check_health_check(check: &HealthCheck) -> Applied {
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
    Ok(())
}

pub(super) fn check_patterns(conditions: &Conditions) -> Applied {
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
