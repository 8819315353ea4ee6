//! A roll-out starts when a followed tag moved from the digest that was last tried. A bad push is tried once: going back
//! leaves what was tried alone.
//!
//! What is rolled out is the revision that was asked for last, with the new digest in it. The trigger is a difference, not
//! an event, so a push while the server was away rolls out all the same. A tag that vanished changes nothing.

use std::collections::BTreeMap;

use model::{
    ContainerName, DeploymentCause, DeploymentChange, DeploymentId, NewDeployment, PinnedImage,
    Reference, RevisionOrigin, RolledOut, RolloutState, Service, ServiceChange, ServiceId,
    ServiceRevision, ServiceRevisionId, State, Tag,
};

use crate::planted::{self, Fault};
use crate::proposals::Proposals;
use crate::situation::Situation;

/// Who starts what nobody asked for.
pub(crate) const BY_SCHEDULER: &str = "scheduler";

/// Starts what a push asks for.
pub(crate) fn follow(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let state = situation.state;
    let Some((service, deployment)) = situation.rollout(id) else { return Proposals::default() };
    let Some(requested) = state.service_revision(deployment.revision) else {
        return Proposals::default();
    };
    let followed = followed(state, requested);
    let is_new = |(container, tag): (&ContainerName, &&Tag)| {
        let failed = deployment.rollout_state == RolloutState::Failed;
        service.last_tried.get(container) != Some(&tag.digest)
            || (failed && planted::is_on(Fault::FailureForgotten))
    };
    let Some((_, moved)) = followed.iter().find(|one| is_new((one.0, one.1))) else {
        return Proposals::default();
    };
    if !service.follow_tags {
        return Proposals::default();
    }
    let images = with_pushed(requested, &followed);
    let counts = match deployment.rollout_state {
        RolloutState::InProgress | RolloutState::Completed => true,
        RolloutState::Failed | RolloutState::Stopped => false,
    };
    if counts && requested.images == images {
        let digests = followed.into_iter().map(|(name, tag)| (name, tag.digest)).collect();
        return Proposals::one(ServiceChange::NoteTried { service: id, digests });
    }
    let by = moved.pushed_by.clone();
    let revision = pushed(situation, service, requested, images, by.clone());
    let revision = RolledOut::New(revision);
    let new = start(situation, id, revision, DeploymentCause::Pushed, by);
    Proposals::one(DeploymentChange::Start(new))
}

/// The tags that the revision's containers follow, where they are there.
fn followed<'a>(state: &'a State, revision: &ServiceRevision) -> BTreeMap<ContainerName, &'a Tag> {
    let definition = state.task_definition(&revision.task_definition);
    definition
        .into_iter()
        .flat_map(|definition| &definition.container_definitions)
        .filter_map(|container| match &container.image.reference {
            Reference::Tag(tag) => {
                Some((container.name.clone(), state.tag(&container.image.repository, tag)?))
            }
            Reference::Digest(_) => None,
        })
        .collect()
}

/// The revision's images, those whose tags are there as the tags say. A tag that vanished stands for what the service
/// runs.
fn with_pushed(
    revision: &ServiceRevision,
    followed: &BTreeMap<ContainerName, &Tag>,
) -> BTreeMap<ContainerName, PinnedImage> {
    let pushed = followed.iter().map(|(container, tag)| {
        let image = PinnedImage { repository: tag.repository.clone(), digest: tag.digest };
        (container.clone(), image)
    });
    revision.images.clone().into_iter().chain(pushed).collect()
}

/// The revision that follows with these images.
fn pushed(
    situation: &Situation<'_>,
    service: &Service,
    requested: &ServiceRevision,
    images: BTreeMap<ContainerName, PinnedImage>,
    by: String,
) -> ServiceRevision {
    let now = situation.facts.inputs.now;
    ServiceRevision {
        id: ServiceRevisionId::new(now, situation.ids.nth(1)),
        number: service.last_revision + 1,
        base: Some(requested.id),
        origin: RevisionOrigin::Pushed,
        images,
        created_at: now,
        created_by: by,
        ..requested.clone()
    }
}

/// A new deployment.
pub(crate) fn start(
    situation: &Situation<'_>,
    service: ServiceId,
    revision: RolledOut,
    cause: DeploymentCause,
    created_by: String,
) -> NewDeployment {
    let now = situation.facts.inputs.now;
    let id = DeploymentId::new(now, situation.ids.nth(0));
    NewDeployment { id, service, revision, cause, created_at: now, created_by }
}
