//! A roll-out starts when a followed tag moved from the digest that was last tried. A bad push is tried once: going back
//! leaves what was tried alone.
//!
//! The trigger is a difference, not an event, so a push while the server was away rolls out all the same. A tag that
//! vanished changes nothing.

use std::collections::BTreeMap;

use model::{
    ContainerDefinition, ContainerName, Deployment, DeploymentChange, DeploymentId, Digest,
    ImageReference, PinnedImage, PlacementFailure, Reference, Revision, RolloutState, Service,
    ServiceChange, ServiceId, State,
};

use crate::proposals::Proposals;
use crate::sentence;
use crate::situation::Situation;

/// Starts what a push, or the lack of any deployment, asks for.
pub(crate) fn follow(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let state = situation.state;
    let Some(service) = situation.active(id) else { return Proposals::default() };
    let running = service.deployment.and_then(|id| state.deployment(id));
    let is_first = service.deployment.is_none();
    let is_pushed = service.follow_tags && has_moved(state, service);
    if !is_first && !is_pushed {
        return Proposals::default();
    }
    let images = match resolve(state, service) {
        Ok(images) => images,
        Err(image) if is_first => {
            let failure = Some(PlacementFailure::ImageNotPushed { image });
            return Proposals::one(ServiceChange::SetPlacementFailure { service: id, failure });
        }
        Err(_) => return Proposals::default(),
    };
    let runs_already = running.is_some_and(|running| {
        running.rollout_state != RolloutState::Failed
            && running.task_definition == service.task_definition
            && running.images == images
    });
    if runs_already {
        let digests = images.into_iter().map(|(name, image)| (name, image.digest)).collect();
        return Proposals::one(ServiceChange::NoteTried { service: id, digests });
    }
    let deployment = start(situation, id, service.task_definition.clone(), images, None);
    Proposals::one(DeploymentChange::Start(deployment))
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
    let pin = |container: &ContainerDefinition| {
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

/// A new deployment, in progress.
pub(crate) fn start(
    situation: &Situation<'_>,
    service: ServiceId,
    task_definition: Revision,
    images: BTreeMap<ContainerName, PinnedImage>,
    rollback_of: Option<DeploymentId>,
) -> Deployment {
    let now = situation.facts.inputs.now;
    let id = DeploymentId::new(now, situation.ids.nth(0));
    Deployment {
        id,
        service,
        task_definition,
        images,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: match rollback_of {
            Some(failed) => sentence::rolling_back(failed),
            None => sentence::in_progress(id),
        },
        failure: None,
        rollback_of,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    }
}
