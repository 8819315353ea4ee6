//! The installation as a whole: `berth down` stops everything that runs, cleanly.

use access::{Resource, ResourceKind};
use api::{Done, Remaining, StopQuery};
use model::{
    Change, InstanceChange, InstanceId, Lease, Service, ServiceStatus, State, StopCause, Stopped,
    Task, TaskChange, TaskStatus,
};

use crate::describe::count;
use crate::{Context, Decision, Operation, Refused, Request, View, sentence};

/// How many services and tasks are still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetStopProgress(pub StopQuery);

/// Suspends one instance or all of them: their tasks stop, and services, rules and everything else stay; answers at once
/// with how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopInstallation(pub StopQuery);

/// Ends the suspension of every instance: services come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumeInstallation;

impl Request for GetStopProgress {
    const OPERATION: Operation = Operation::GetStopProgress;
    type Answer = Remaining;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| Ok(remaining(view, self.0.instance))))
    }
}

impl Request for StopInstallation {
    const OPERATION: Operation = Operation::StopInstallation;
    type Answer = Remaining;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let state = context.view.state;
        let only = self.0.instance;
        if let Some(id) = only.filter(|id| state.instance(*id).is_none()) {
            return Err(Refused::missing(ResourceKind::Instance, &id));
        }
        let suspend = suspend(state, true, only);
        let stopped = Stopped::new(StopCause::InstallationDown, sentence::stopped_by_down());
        let unplaced = state
            .tasks()
            .filter(|task| task.wanted() && task.service.is_none() && task.placement().is_none())
            // What waits for room may find it on another instance.
            .filter(|_| only.is_none());
        let stop = unplaced
            .map(|task| Change::from(TaskChange::Stop { task: task.id, stopped: stopped.clone() }));
        let each = suspend.chain(stop).collect();
        Ok(Decision { each, ..Decision::change(Vec::new(), move |view| Ok(remaining(view, only))) })
    }
}

fn suspend(
    state: &State,
    suspended: bool,
    only: Option<InstanceId>,
) -> impl Iterator<Item = Change> {
    let meant = state.instances().filter(move |one| only.is_none_or(|only| one.id == only));
    let others = meant.filter(move |instance| instance.suspended != suspended);
    others.map(move |instance| {
        InstanceChange::SetSuspended { instance: instance.id, suspended }.into()
    })
}

impl Request for ResumeInstallation {
    const OPERATION: Operation = Operation::ResumeInstallation;
    type Answer = Done;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let each = suspend(context.view.state, false, None).collect();
        Ok(Decision { each, ..Decision::change(Vec::new(), |_| Ok(Done {})) })
    }
}

/// What stays in State only for a router that is away, to keep its address from others, is not waited for: nothing of it
/// runs, and that router may never come back.
fn remaining(view: &View<'_>, only: Option<InstanceId>) -> Remaining {
    let state = view.state;
    let lease = |id| view.observed.router_lease(id, &view.setup.lease, view.now);
    let some_away = state.routers().any(|router| lease(router.id) >= Lease::Disconnected);
    let counts = |task: &&Task| !some_away || may_have_containers(state, task);
    let is_leaving = |service: &&Service| service.status == ServiceStatus::Draining;
    let has_left =
        |service: &&Service| !some_away || state.tasks_of(service.id).any(|task| counts(&task));
    Remaining {
        services: count(state.services().filter(is_leaving).filter(has_left)),
        tasks: count(
            state.tasks().filter(|task| only.is_none() || task.instance() == only).filter(counts),
        ),
    }
}

fn may_have_containers(state: &State, task: &Task) -> bool {
    let is_on_a_host = task.instance().is_some_and(|id| state.instance(id).is_some());
    task.last_status() != TaskStatus::Stopped || (is_on_a_host && !task.reaped())
}
