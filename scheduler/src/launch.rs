//! Missing tasks are started as far as the maximum, the back-off and the room on instances allow; what stands in the way
//! is recorded.

use model::{
    Deployment, Placement, PlacementFailure, RolloutState, Service, Task, TaskChange,
    TaskContainer, TaskDefinition, TaskId, TaskStatus, Timestamp,
};

use crate::deployment;
use crate::draft::Draft;
use crate::health::Condition;
use crate::place::{self, Request, Unplaceable};
use crate::rolling::{Bounds, Member, Roster};

/// What came of starting the tasks that are missing.
#[derive(Default)]
pub(crate) struct Launch {
    /// How many could not be started for lack of room.
    pub(crate) shortage: usize,
    /// How many of them the maximum alone forbids.
    over_maximum: usize,
    unplaceable: Option<Unplaceable>,
    /// Whether none was tried: a pause after failures, or the deployment was given up.
    paused: bool,
}

/// What to tell people about the placement of a service.
pub(crate) enum Notice {
    /// What was said still holds, as far as one can tell.
    Keep,
    /// All is well.
    Clear,
    /// This stands in the way.
    Say(PlacementFailure),
}

impl Launch {
    pub(crate) fn start(
        draft: &mut Draft<'_>,
        service: &Service,
        deployment: &Deployment,
        roster: &mut Roster,
        bounds: Bounds,
    ) -> Self {
        let missing = roster.missing(bounds);
        let mut launch = Self::default();
        if missing == 0 {
            return launch;
        }
        if deployment.rollout_state == RolloutState::Failed {
            launch.paused = true;
            return launch;
        }
        if let Some(at) =
            deployment::launch_at(&draft.before, deployment).filter(|at| *at > draft.now)
        {
            draft.wake_at(at);
            launch.paused = true;
            return launch;
        }
        let count = missing.min(roster.room(bounds));
        launch.over_maximum = missing - count;
        launch.shortage = launch.over_maximum;
        if count > 0 {
            let started = create(draft, service, deployment, count, &mut launch.unplaceable);
            // Room that comes back by itself, or that no stop would make, is not worth a healthy task.
            if launch.unplaceable.as_ref().is_some_and(|unplaceable| unplaceable.lacks_room) {
                let unplaced = count - started.len();
                launch.shortage += unplaced.saturating_sub(roster.stopping);
            }
            let new = |id| Member {
                id,
                created_at: draft.now,
                condition: Condition::Starting,
                runs: false,
                replaceable: true,
            };
            roster.fresh.extend(started.into_iter().map(new));
        }
        launch
    }

    /// What stands in the way of the desired count.
    pub(crate) fn notice(
        &self,
        draft: &mut Draft<'_>,
        service: &Service,
        roster: &Roster,
        bounds: Bounds,
        stops: usize,
    ) -> Notice {
        if let Some(unplaceable) = &self.unplaceable {
            if let Some(at) = unplaceable.may_change_at {
                draft.wake_at(at);
                return Notice::Keep;
            }
            if unplaceable.lacks_room && (roster.stopping > 0 || stops > 0) {
                return Notice::Keep;
            }
            return Notice::Say(unplaceable.failure.clone());
        }
        if self.paused {
            return Notice::Keep;
        }
        if roster.holds && roster.fresh.iter().any(|m| m.condition == Condition::Unknown) {
            let told_at = draft.observed.since.plus(draft.settings.lease.suspect_after);
            draft.wake_at(told_at);
            let is_settled = draft.now >= told_at;
            return if is_settled {
                Notice::Say(PlacementFailure::HealthUnknown)
            } else {
                Notice::Keep
            };
        }
        let stuck =
            self.over_maximum > 0 && stops == 0 && roster.stopping == 0 && !roster.is_starting();
        if !stuck {
            return Notice::Clear;
        }
        let Bounds { desired, minimum, maximum } = bounds;
        let configuration = &service.deployment_configuration;
        Notice::Say(PlacementFailure::NoLegalStep {
            desired,
            minimum,
            maximum,
            minimum_healthy_percent: configuration.minimum_healthy_percent,
            maximum_percent: configuration.maximum_percent,
        })
    }
}

fn create(
    draft: &mut Draft<'_>,
    service: &Service,
    deployment: &Deployment,
    count: usize,
    unplaceable: &mut Option<Unplaceable>,
) -> Vec<TaskId> {
    let Some(definition) = draft.state.task_definition(&deployment.task_definition).cloned() else {
        return Vec::new();
    };
    let request = Request {
        cluster: service.cluster.clone(),
        service: Some(service.id),
        deployment: Some(deployment.id),
        resources: definition.resources(),
        images: deployment.images.values().cloned().collect(),
        mappings: place::mappings(&definition),
    };
    let (placements, failure) = place::place(draft, &request, count);
    *unplaceable = failure;
    let mut started = Vec::new();
    for placement in placements {
        let id = TaskId::new(draft.now, draft.random());
        let task = task(id, placement, service, deployment, &definition, draft.now);
        if draft.propose(TaskChange::Create(task)) {
            started.push(id);
        }
    }
    started
}

/// A task of the deployment in its place.
fn task(
    id: TaskId,
    placement: Placement,
    service: &Service,
    deployment: &Deployment,
    definition: &TaskDefinition,
    now: Timestamp,
) -> Task {
    let in_order = definition.container_definitions.iter();
    let images = in_order.filter_map(|known| deployment.images.get_key_value(&known.name));
    let containers = images.map(|(name, image)| TaskContainer::new(name.clone(), image.clone()));
    Task {
        service: Some(service.id),
        deployment: Some(deployment.id),
        started_by: format!("deployment/{}", deployment.id),
        resources: definition.resources(),
        placement: Some(placement),
        containers: containers.collect(),
        last_status: TaskStatus::Pending,
        ..Task::new(id, service.cluster.clone(), definition.key(), now)
    }
}
