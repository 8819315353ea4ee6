//! Missing tasks are started as far as the maximum, the back-off and the room on instances allow; what stands in the way
//! is recorded.

use model::{
    Deployment, DeploymentId, NewTask, PlacementFailure, RolloutState, Service, ServiceChange,
    ServiceId, ServiceRevision, TaskDefinition, TaskId, Timestamp,
};

use crate::place::{self, Unplaceable};
use crate::proposals::Proposals;
use crate::relaunch;
use crate::request::Request;
use crate::rolling::{Bounds, ServiceTasks};
use crate::situation::Situation;

/// What comes of starting the tasks that are missing.
#[derive(Debug, Default)]
pub(crate) struct Launch {
    /// Those that start.
    pub(crate) tasks: Vec<NewTask>,
    /// How many could not be started for lack of room.
    pub(crate) shortage: usize,
    /// How many of them the maximum alone forbids.
    over_maximum: usize,
    unplaceable: Option<Unplaceable>,
    pause: Option<Pause>,
}

/// Why none is tried.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// After failures, until then.
    Until(Timestamp),
    /// The deployment was given up.
    GivenUp,
}

impl Launch {
    pub(crate) fn of(
        situation: &Situation<'_>,
        service: &Service,
        deployment: &Deployment,
        tasks: &ServiceTasks,
        bounds: Bounds,
    ) -> Self {
        let missing = tasks.missing(bounds);
        if missing == 0 {
            return Self::default();
        }
        if let Some(pause) = pause(situation, deployment) {
            return Self { pause: Some(pause), ..Self::default() };
        }
        let count = missing.min(tasks.room(bounds));
        let over_maximum = missing - count;
        let (started, unplaceable) = start(situation, service, deployment, count);
        let unplaced = count - started.len();
        // Room that comes back by itself, or that no stop would make, is not worth a healthy task.
        let lacking = match &unplaceable {
            Some(unplaceable) if unplaceable.lacks_room => unplaced.saturating_sub(tasks.stopping),
            _ => 0,
        };
        Self {
            tasks: started,
            shortage: over_maximum + lacking,
            over_maximum,
            unplaceable,
            pause: None,
        }
    }

    /// What stands in the way of the desired count, where it can be told. `stops`: how many tasks are being stopped now.
    pub(crate) fn notice(
        &self,
        situation: &Situation<'_>,
        service: &Service,
        tasks: &ServiceTasks,
        bounds: Bounds,
        stops: usize,
    ) -> Proposals {
        let say = |failure| {
            Proposals::one(ServiceChange::SetPlacementFailure { service: service.id, failure })
        };
        if let Some(unplaceable) = &self.unplaceable {
            let Unplaceable { failure, may_change_at, lacks_room } = unplaceable;
            return match may_change_at {
                Some(at) => Proposals::wake(*at),
                None if *lacks_room && (tasks.stopping > 0 || stops > 0) => Proposals::default(),
                None => say(Some(beside(failure, tasks))),
            };
        }
        match self.pause {
            Some(Pause::Until(at)) => return Proposals::wake(at),
            Some(Pause::GivenUp) => return Proposals::default(),
            None => {}
        }
        if tasks.waits_for_routers() {
            let inputs = situation.facts.inputs;
            let settled_at = inputs.observed.since.plus(inputs.settings.lease.suspect_after);
            return if inputs.now >= settled_at {
                say(Some(PlacementFailure::HealthUnknown))
            } else {
                Proposals::wake(settled_at)
            };
        }
        let is_stuck =
            self.over_maximum > 0 && stops == 0 && tasks.stopping == 0 && !tasks.is_starting();
        say(is_stuck.then(|| no_legal_step(service, bounds)))
    }
}

/// The failure, with whether tasks of the service itself hold the room.
fn beside(failure: &PlacementFailure, tasks: &ServiceTasks) -> PlacementFailure {
    let mut failure = failure.clone();
    if let PlacementFailure::NoInstanceFits { instances, is_held_by_own, .. } = &mut failure {
        let is_room = instances.iter().any(|instances| instances.reason.is_lack_of_room());
        *is_held_by_own = is_room && !tasks.stale.is_empty();
    }
    failure
}

fn pause(situation: &Situation<'_>, deployment: &Deployment) -> Option<Pause> {
    if deployment.rollout_state == RolloutState::Failed {
        return Some(Pause::GivenUp);
    }
    let inputs = situation.facts.inputs;
    let at = relaunch::launch_at(inputs.state, deployment)?;
    (at > inputs.now).then_some(Pause::Until(at))
}

fn no_legal_step(service: &Service, bounds: Bounds) -> PlacementFailure {
    let Bounds { desired, minimum, maximum } = bounds;
    let configuration = &service.deployment_configuration;
    PlacementFailure::NoLegalStep {
        desired,
        minimum,
        maximum,
        minimum_healthy_percent: configuration.minimum_healthy_percent,
        maximum_percent: configuration.maximum_percent,
    }
}

/// Up to `count` tasks of the deployment, each in its place, and why there are not more.
fn start(
    situation: &Situation<'_>,
    service: &Service,
    deployment: &Deployment,
    count: usize,
) -> (Vec<NewTask>, Option<Unplaceable>) {
    let state = situation.state;
    let revision = state.service_revision(deployment.revision).filter(|_| count > 0);
    let Some(revision) = revision else { return (Vec::new(), None) };
    let definition = state.task_definition(&revision.task_definition);
    let Some(definition) = definition else { return (Vec::new(), None) };
    let observed = situation.facts.inputs.observed;
    let request = Request::of_service(state, observed, service, deployment, revision, definition);
    let placed = place::place(state, situation.room().clone(), &request, count);
    let now = situation.facts.inputs.now;
    let tasks = placed.placements.into_iter().enumerate().map(|(n, placement)| {
        let id = TaskId::new(now, situation.ids.nth(n));
        let placed = NewTask {
            placement: Some(placement),
            ..NewTask::new(id, service.cluster.clone(), definition.key(), now)
        };
        task(placed, (service.id, deployment.id), revision, definition)
    });
    (tasks.collect(), placed.unplaceable)
}

/// A task of the deployment in its place, with what the revision says of it.
fn task(
    placed: NewTask,
    of: (ServiceId, DeploymentId),
    revision: &ServiceRevision,
    definition: &TaskDefinition,
) -> NewTask {
    let in_order = definition.container_definitions.iter();
    let images = in_order.filter_map(|known| revision.images.get_key_value(&known.name));
    NewTask {
        service: Some(of),
        started_by: format!("deployment/{}", of.1),
        resources: definition.resources(),
        images: images.map(|(name, image)| (name.clone(), image.clone())).collect(),
        ..placed
    }
}
