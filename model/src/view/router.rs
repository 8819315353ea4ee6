//! What a router should see: everything that it routes by.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::collection::{View as _, place, view};
use crate::cluster::HostIdentity;
use crate::id::{ListenerId, RouterId, RuleId, TargetGroupId, TaskId};
use crate::name::TargetGroupName;
use crate::routing::{HealthCheck, Listener, Rule};
use crate::service::{LoadBalancer, Service};
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
    /// How to check its targets.
    pub health_check: HealthCheck,
    /// Whether a request may be held while it has no target: a deployment or a first task is under way.
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
    state.rules().map(|rule| (rule.id, rule.clone()))
}

fn rule_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    state.rules().map(place)
}

fn target_group_rows(
    state: &State,
    _: RouterId,
) -> impl Iterator<Item = (TargetGroupId, TargetGroupView)> {
    let wanting = state.services().filter(|service| service.desired_count > 0);
    let expecting: BTreeSet<TargetGroupId> = wanting
        .flat_map(|service| service.load_balancers.iter().map(|balancer| balancer.target_group))
        .collect();
    state.target_groups().map(move |group| {
        let view = TargetGroupView {
            id: group.id,
            name: group.name.clone(),
            health_check: group.health_check.clone(),
            expects_targets: expecting.contains(&group.id),
        };
        (group.id, view)
    })
}

fn target_group_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    state.target_groups().map(place).chain(state.services().map(place))
}

/// What a service's routed tasks offer to each of its target groups.
fn target_rows(
    state: &State,
    _: RouterId,
) -> impl Iterator<Item = ((TargetGroupId, TaskId), TargetView)> {
    balancers(state).flat_map(move |(service, balancer)| {
        let routed = state.tasks_of(service.id).filter(|task| task.routed());
        let group = balancer.target_group;
        routed.filter_map(move |task| Some(((group, task.id), target(state, balancer, task)?)))
    })
}

/// Task definitions are not among them: they never change.
fn target_sources(state: &State, _: RouterId) -> impl Iterator<Item = usize> {
    let tasks = balancers(state).flat_map(move |(service, _)| state.tasks_of(service.id));
    tasks.filter(|task| task.routed()).flat_map(move |task| {
        let instance = task.instance().and_then(|id| state.instance(id));
        std::iter::once(place(task)).chain(instance.map(place))
    })
}

fn balancers(state: &State) -> impl Iterator<Item = (&Service, &LoadBalancer)> {
    state
        .services()
        .flat_map(|service| service.load_balancers.iter().map(move |balancer| (service, balancer)))
        .filter(|(_, balancer)| state.target_group(balancer.target_group).is_some())
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
    // A task of another revision than the newest keeps serving on its own port.
    let definition = state.task_definition(&task.task_definition)?;
    let port = definition.container(container)?.serving_port(balancer.container_port)?;
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
    })
}
