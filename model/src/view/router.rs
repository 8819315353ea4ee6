//! What a router should see: everything that it routes by.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::collection::{View as _, place, view};
use crate::cluster::HostIdentity;
use crate::id::{ListenerId, RouterId, RuleId, TargetGroupId, TaskId};
use crate::name::TargetGroupName;
use crate::routing::{HealthCheck, Listener, Rule};
use crate::service::{LoadBalancer, RolloutState, Service, ServiceRevision, ServiceStatus};
use crate::state::State;
use crate::task::{Task, TaskPhase};

view! {
    /// What a router should see: everything that it routes by. All routers see the same.
    pub struct RouterView of RouterId {
        /// Listeners.
        listeners: ListenerId => Listener, named "listeners", on disk Private,
        rows listener_rows, sources listener_sources;
        /// Rules of all listeners.
        rules: RuleId => Rule, named "rules", on disk Private,
        rows rule_rows, sources rule_sources;
        /// Target groups.
        target_groups: TargetGroupId => TargetGroupView, named "targetGroups", on disk Private,
        rows target_group_rows, sources target_group_sources;
        /// Targets, by group and task.
        targets: (TargetGroupId, TaskId) => TargetView, named "targets", on disk Private,
        rows target_rows, sources target_sources;
    }
}

/// A target group as routers should see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroupView {
    /// Its id.
    pub id: TargetGroupId,
    /// Its name.
    pub name: TargetGroupName,
    /// How to check targets that do not say it themselves.
    pub health_check: HealthCheck,
    /// Whether a request may be held while it has no target: a task is on its way, outside back-off.
    pub expects_targets: bool,
}

/// A target as routers should see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    /// The task: the target's identity. Its address may have belonged to another before.
    pub task: TaskId,
    /// Its own address, for routers on the same host.
    pub direct: SocketAddr,
    /// Its published address, for all others.
    pub published: Option<SocketAddr>,
    /// The host that it is on.
    pub host: HostIdentity,
    /// Whether it is being deregistered: no new requests, those in flight may end.
    pub draining: bool,
    /// How to check it: as the revision that it runs says. None from a server that knows only one check of the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
}

impl RouterView {
    /// Each target group with its targets.
    pub fn groups(&self) -> impl Iterator<Item = (&TargetGroupView, Vec<&TargetView>)> {
        // Both are in the order of the groups' ids.
        let mut targets = self.targets.iter().peekable();
        self.target_groups.iter().map(move |(id, group)| {
            while targets.next_if(|((of, _), _)| of < id).is_some() {}
            let mut own = Vec::new();
            while let Some((_, target)) = targets.next_if(|((of, _), _)| of == id) {
                own.push(target);
            }
            (group, own)
        })
    }
}

impl State {
    /// What every router should see.
    pub fn router_view(&self) -> RouterView {
        RouterView::of(self, RouterId::new(crate::Timestamp::EPOCH, [0; 10]))
    }
}

fn listener_rows(state: &State, _: RouterId) -> impl Iterator<Item = (ListenerId, Listener)> {
    state.listeners().map(|listener| (listener.id, listener.clone()))
}

fn listener_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    state.listeners().map(place)
}

fn rule_rows(state: &State, _: RouterId) -> impl Iterator<Item = (RuleId, Rule)> {
    state.rules_in_force().into_iter()
}

fn rule_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    state.rules().map(place).chain(roll_outs(state))
}

/// What says which revisions are in force, which never change themselves: each service and its deployment that counts.
fn roll_outs(state: &State) -> impl Iterator<Item = usize> {
    state.services().flat_map(|service| {
        let deployment = state.current_deployment(service).map(place);
        std::iter::once(place(service)).chain(deployment)
    })
}

fn target_group_rows(
    state: &State,
    _: RouterId,
) -> impl Iterator<Item = (TargetGroupId, TargetGroupView)> {
    let used: BTreeMap<TargetGroupId, (&Service, &LoadBalancer)> = state
        .services()
        .flat_map(|service| {
            let balancers = state.load_balancers(service).iter();
            balancers.map(move |balancer| (balancer.target_group, (service, balancer)))
        })
        .collect();
    state.target_groups().map(move |group| {
        let user = used.get(&group.id);
        let view = TargetGroupView {
            id: group.id,
            name: group.name.clone(),
            health_check: user.map(|(_, one)| for_older_routers(one)).unwrap_or_default(),
            expects_targets: user.is_some_and(|(service, _)| expects_targets(state, service)),
        };
        (group.id, view)
    })
}

fn target_group_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    let tasks = state.services().flat_map(move |service| state.tasks_of(service.id));
    state.target_groups().map(place).chain(roll_outs(state)).chain(tasks.map(place))
}

/// The check without what routers of the version before do not know: they refuse a check with other fields.
fn for_older_routers(balancer: &LoadBalancer) -> HealthCheck {
    HealthCheck { port: None, host: None, ..balancer.health_check.clone() }
}

/// Whether a task of the service is on its way, or will be at once: not while it is paused after failures, was given up,
/// or finds no place.
fn expects_targets(state: &State, service: &Service) -> bool {
    let Some(deployment) = state.current_deployment(service) else { return false };
    if service.status != ServiceStatus::Active || service.desired_count == 0 {
        return false;
    }
    let wanted = || state.tasks_of(service.id).filter(|task| task.wanted());
    let is_on_its_way = |task: &Task| task.healthy_at().is_none();
    let counts = match deployment.rollout_state {
        RolloutState::InProgress | RolloutState::Completed => true,
        RolloutState::Failed | RolloutState::Stopped => false,
    };
    // The first that ends after it was healthy is replaced at once.
    let starts_at_once = counts
        && deployment.failed_tasks == 0
        && deployment.crashed_tasks <= 1
        && service.placement_failure.is_none();
    let missing =
        || wanted().count() < usize::try_from(service.desired_count).unwrap_or(usize::MAX);
    wanted().any(is_on_its_way) || (starts_at_once && missing())
}

/// How a target is checked: as its own revision says, by a host that the application knows.
fn check(revision: &ServiceRevision, balancer: &LoadBalancer) -> HealthCheck {
    let own = balancer.health_check.clone();
    let plain = |host: &&String| !host.contains(['*', '?']);
    let hosts = revision.load_balancers.iter().flat_map(|one| &one.routes);
    let hosts = hosts.flat_map(|route| &route.conditions.host_header);
    let host = own.host.clone().or_else(|| hosts.into_iter().find(plain).cloned());
    HealthCheck { host, ..own }
}

/// What a service's routed tasks offer to each of its target groups.
fn target_rows(
    state: &State,
    _: RouterId,
) -> impl Iterator<Item = ((TargetGroupId, TaskId), TargetView)> {
    routed(state).flat_map(move |task| {
        state.revision_of(task).into_iter().flat_map(move |revision| {
            revision.load_balancers.iter().filter_map(move |balancer| {
                let view = target(state, balancer, task)?;
                let health_check = Some(check(revision, balancer));
                Some(((balancer.target_group, task.id), TargetView { health_check, ..view }))
            })
        })
    })
}

/// Task definitions and revisions are not among them: they never change.
fn target_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    routed(state).flat_map(move |task| {
        let instance = task.instance().and_then(|id| state.instance(id));
        std::iter::once(place(task)).chain(instance.map(place))
    })
}

fn routed(state: &State) -> impl Iterator<Item = &Task> {
    let tasks = state.services().flat_map(move |service| state.tasks_of(service.id));
    tasks.filter(|task| task.routed())
}

fn target(state: &State, balancer: &LoadBalancer, task: &Task) -> Option<TargetView> {
    let container = &balancer.container_name;
    let (placement, draining) = match task.phase() {
        TaskPhase::Running { placement, .. } => (placement, false),
        TaskPhase::Deactivating { placement, .. } => (placement, true),
        TaskPhase::Provisioning
        | TaskPhase::Pending { .. }
        | TaskPhase::Activating { .. }
        | TaskPhase::Stopping { .. }
        | TaskPhase::Stopped { .. } => return None,
    };
    let instance = state.instance(placement.instance)?;
    let port = balancer.container_port;
    let binding = placement
        .ports
        .iter()
        .find(|binding| binding.container == *container && binding.container_port == port);
    Some(TargetView {
        task: task.id,
        direct: SocketAddr::new(placement.address.into(), port),
        published: binding
            .map(|binding| SocketAddr::new(instance.advertised_address, binding.host_port)),
        host: instance.host.clone(),
        draining,
        health_check: None,
    })
}
