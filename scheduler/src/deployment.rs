//! A roll-out starts when a followed tag moved from the digest that was last tried, and is given up when its tasks keep
//! failing. A bad push is tried once: going back leaves what was tried alone.
//!
//! The trigger is a difference, not an event, so a push while the server was away rolls out all the same. A tag that
//! vanished changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    Backoff, CircuitBreaker, CompletedDeployment, ContainerName, Deployment, DeploymentChange,
    DeploymentFailure, DeploymentId, Digest, ImageReference, PinnedImage, PlacementFailure,
    Reference, Revision, RolloutState, Service, ServiceChange, ServiceId, ServiceStatus, State,
    StopCode, Stopped, Task, TaskStatus, Timestamp,
};

use crate::draft::Draft;
use crate::hash::fnv1a;
use crate::sentence;

/// The pauses before tasks are started again after failures.
const LAUNCHES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_mins(1));

/// Starts what a push, or the lack of any deployment, asks for.
pub(crate) fn follow(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id).cloned() else { return };
    let is_first = service.deployment.is_none();
    let is_pushed = service.follow_tags && has_moved(&draft.state, &service);
    if !is_first && !is_pushed {
        return;
    }
    let images = match resolve(&draft.state, &service) {
        Ok(images) => images,
        Err(missing) => {
            if is_first {
                let failure = Some(PlacementFailure::ImageNotPushed { image: missing });
                draft.propose(ServiceChange::SetPlacementFailure { service: id, failure });
            }
            return;
        }
    };
    let runs_already =
        service.deployment.and_then(|id| draft.state.deployment(id)).is_some_and(|running| {
            running.rollout_state != RolloutState::Failed
                && running.task_definition == service.task_definition
                && running.images == images
        });
    if runs_already {
        let digests = images.into_iter().map(|(name, image)| (name, image.digest)).collect();
        draft.propose(ServiceChange::NoteTried { service: id, digests });
    } else {
        let deployment = start(draft, id, service.task_definition, images, None);
        draft.propose(DeploymentChange::Start(deployment));
    }
}

/// The digest of each tag that the service follows, where the tag is there.
fn followed(state: &State, service: &Service) -> BTreeMap<ContainerName, Digest> {
    let definition = state.task_definition(&service.task_definition);
    definition
        .into_iter()
        .flat_map(|definition| &definition.container_definitions)
        .filter_map(|container| match &container.image.reference {
            Reference::Tag(tag) => {
                let tag = state.tag(&container.image.repository, tag)?;
                Some((container.name.clone(), tag.digest))
            }
            Reference::Digest(_) => None,
        })
        .collect()
}

fn has_moved(state: &State, service: &Service) -> bool {
    followed(state, service)
        .iter()
        .any(|(container, digest)| service.last_tried.get(container) != Some(digest))
}

/// A digest for each container. A tag that vanished stands for what the service runs.
fn resolve(
    state: &State,
    service: &Service,
) -> Result<BTreeMap<ContainerName, PinnedImage>, ImageReference> {
    let followed = followed(state, service);
    let running = service.deployment.and_then(|id| state.deployment(id));
    let Some(definition) = state.task_definition(&service.task_definition) else {
        return Ok(BTreeMap::new());
    };
    let pin = |container: &model::ContainerDefinition| {
        let repository = container.image.repository.clone();
        let digest = match &container.image.reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => followed.get(&container.name).copied().or_else(|| {
                let image = running?.images.get(&container.name)?;
                (image.repository == repository).then_some(image.digest)
            }),
        };
        digest
            .map(|digest| (container.name.clone(), PinnedImage { repository, digest }))
            .ok_or_else(|| container.image.clone())
    };
    definition.container_definitions.iter().map(pin).collect()
}

fn start(
    draft: &mut Draft<'_>,
    service: ServiceId,
    task_definition: Revision,
    images: BTreeMap<ContainerName, PinnedImage>,
    rollback_of: Option<DeploymentId>,
) -> Deployment {
    let id = DeploymentId::new(draft.now, draft.random());
    let rollout_state_reason = match rollback_of {
        Some(failed) => sentence::rolling_back(failed),
        None => sentence::in_progress(id),
    };
    Deployment {
        id,
        service,
        task_definition,
        images,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason,
        failure: None,
        rollback_of,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: draft.now,
        updated_at: draft.now,
    }
}

/// Gives a deployment up whose tasks keep failing, and goes back to the last one that completed.
///
/// A roll-back is never given up: there is nothing better to go to, so it is tried again at the pace of the back-off.
pub(crate) fn judge(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id).cloned() else { return };
    let Some(deployment) = service.deployment.and_then(|id| draft.state.deployment(id)).cloned()
    else {
        return;
    };
    let breaker = &service.deployment_configuration.deployment_circuit_breaker;
    if deployment.rollout_state != RolloutState::InProgress
        || deployment.rollback_of.is_some()
        || !breaker.enable
        || deployment.failed_tasks < CircuitBreaker::threshold(service.desired_count)
    {
        return;
    }
    let count = deployment.failed_tasks;
    // A task that has just been forgotten may be the one that failed.
    let last = last_failure(&draft.before, &deployment)
        .or_else(|| last_failure(&draft.state, &deployment));
    let failure = DeploymentFailure::TasksFailed { count, last };
    let mut changes = vec![DeploymentChange::Fail { deployment: deployment.id, failure }.into()];
    if breaker.rollback
        && let Some(CompletedDeployment { id: _, task_definition, images }) = service.last_completed
    {
        let back = start(draft, id, task_definition, images, Some(deployment.id));
        changes.push(DeploymentChange::Start(back).into());
    }
    draft.propose_together(changes);
}

fn last_failure(state: &State, deployment: &Deployment) -> Option<Stopped> {
    state
        .tasks_of(deployment.service)
        .filter(|task| task.deployment == Some(deployment.id) && task.healthy_at.is_none())
        .filter_map(|task| Some((task.stopping_at, task.id, task.stopped.as_ref()?)))
        .max_by_key(|(at, id, _)| (*at, *id))
        .map(|(_, _, stopped)| stopped.clone())
}

/// When tasks of the deployment may be started again after failures: its own, or its instances'.
pub(crate) fn launch_at(state: &State, deployment: &Deployment) -> Option<Timestamp> {
    let pause = |failures: u32, last: Timestamp| {
        let draw = fnv1a(&format!("{failures}/{}", deployment.id));
        (failures > 0).then(|| last.plus(LAUNCHES.after(failures, draw)))
    };
    let own = deployment.last_failure_at.and_then(|at| pause(deployment.failed_tasks, at));
    let mut count = 0;
    let mut last = None;
    for task in state.tasks_of(deployment.service) {
        if task.deployment == Some(deployment.id) && was_let_down(task) {
            count += 1;
            last = last.max(task.stopped_at);
        }
    }
    own.max(last.and_then(|at| pause(count, at)))
}

/// Whether its instance could not give the task what it had promised. No deployment is blamed for that.
fn was_let_down(task: &Task) -> bool {
    task.healthy_at.is_none()
        && task.last_status == TaskStatus::Stopped
        && task.stopped.as_ref().is_some_and(|s| s.code == StopCode::InfrastructureHealth)
}

/// Until when a stopped task is kept in State although it is gone: others then avoid its instance and its ports, and
/// come after a pause, since nothing else counts such failures.
pub(crate) fn remembered_until(state: &State, task: &Task) -> Option<Timestamp> {
    let service = state.service(task.service?)?;
    let counts = service.status == ServiceStatus::Active && service.deployment == task.deployment;
    (counts && was_let_down(task)).then_some(task.stopped_at?.plus(LAUNCHES.longest()))
}
