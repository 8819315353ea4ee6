//! What is known of instances and tasks now, assessed once per plan. Nothing that a plan proposes changes it: proposals
//! start and stop tasks, and what is assessed is how those that should run do.

use std::collections::{BTreeMap, BTreeSet};

use model::{InstanceId, Lease, Service, ServiceStatus, Task, TaskId, Timestamp};

use crate::health::{self, TaskHealth};
use crate::inputs::Inputs;
use crate::instance::{self, InstanceFacts};

/// The facts that a plan is made on.
#[derive(Debug)]
pub(crate) struct Assessment<'a> {
    pub(crate) inputs: Inputs<'a>,
    instances: BTreeMap<InstanceId, InstanceFacts>,
    /// Of tasks that should run and whose service is wanted.
    health: BTreeMap<TaskId, TaskHealth>,
    /// Tasks on lost instances that routers trust to serve all the same.
    vouched_for: BTreeSet<TaskId>,
    is_health_checked: bool,
    /// When any of it changes although nothing is reported.
    pub(crate) changes_at: Option<Timestamp>,
}

impl<'a> Assessment<'a> {
    /// Assesses everything.
    pub(crate) fn of(inputs: Inputs<'a>) -> Self {
        let instances = instance::assess(inputs);
        let host = |task: &Task| task.instance().and_then(|id| instances.get(&id));
        let wanted = || inputs.state.tasks().filter(|task| task.wanted());
        let assessed = wanted().filter_map(|task| {
            let service = active_service(inputs, task)?;
            let is_available = host(task).is_some_and(InstanceFacts::is_available);
            Some((task.id, health::assess(inputs, service, task, is_available)))
        });
        let assessed: Vec<_> = assessed.collect();
        let deadlines = assessed.iter().filter_map(|(_, assessed)| assessed.changes_at);
        let deadlines = deadlines.chain(instances.values().filter_map(|facts| facts.changes_at));
        let changes_at = deadlines.filter(|at| *at > inputs.now).min();
        let health = assessed.into_iter().map(|(id, assessed)| (id, assessed.health)).collect();
        let vouched_for = wanted()
            .filter(|task| host(task).is_some_and(|host| host.is_lost))
            .filter(|task| health::is_vouched_for(inputs, task))
            .map(|task| task.id)
            .collect();
        let is_health_checked = health::is_checked(inputs);
        Self { inputs, instances, health, vouched_for, is_health_checked, changes_at }
    }

    /// How a task of a service does. One that is only just planned is on its way.
    pub(crate) fn health(&self, task: TaskId) -> &TaskHealth {
        self.health.get(&task).unwrap_or(&TaskHealth::Starting)
    }

    /// Whether routers trust a task of a lost instance to serve although its agent is silent.
    pub(crate) fn is_vouched_for(&self, task: TaskId) -> bool {
        self.vouched_for.contains(&task)
    }

    /// Whether the instance is there and does what it is told.
    pub(crate) fn is_available(&self, id: InstanceId) -> bool {
        self.instances.get(&id).is_some_and(InstanceFacts::is_available)
    }

    /// Whether the instance's tasks are given up.
    pub(crate) fn is_lost(&self, id: InstanceId) -> bool {
        self.instances.get(&id).is_some_and(|instance| instance.is_lost)
    }

    /// The instances whose tasks are given up.
    pub(crate) fn lost(&self) -> impl Iterator<Item = InstanceId> {
        let lost = self.instances.iter().filter(|(_, instance)| instance.is_lost);
        lost.map(|(id, _)| *id)
    }

    /// Until when an instance that is away, but was heard of lately, is waited for.
    pub(crate) fn may_return_until(&self, id: InstanceId) -> Option<Timestamp> {
        let facts = self.instances.get(&id).filter(|facts| facts.lease == Lease::Ready)?;
        let suspect_after = self.inputs.settings.lease.suspect_after;
        (!facts.is_connected).then(|| facts.heard_at.plus(suspect_after))
    }

    /// Whether no router is connected that could tell the health of the service's tasks.
    pub(crate) fn is_unknowable(&self, service: &Service) -> bool {
        let revision = self.inputs.state.requested_revision(service);
        let is_checked = revision.is_some_and(|revision| !revision.load_balancers.is_empty());
        is_checked && !self.is_health_checked
    }
}

fn active_service<'a>(inputs: Inputs<'a>, task: &Task) -> Option<&'a Service> {
    let service = task.service.and_then(|id| inputs.state.service(id));
    service.filter(|service| service.status == ServiceStatus::Active)
}
