//! How a deployment begins, whoever starts it.

use std::collections::BTreeMap;

use model::{
    ContainerName, Deployment, DeploymentId, PinnedImage, Revision, RolloutState, ServiceId,
    TaskDefinition,
};

use crate::{Context, Refused, resolve, sentence};

/// A deployment of a definition, pinned to what its tags name now.
pub(crate) fn of(
    context: &Context<'_>,
    service: ServiceId,
    definition: &TaskDefinition,
) -> Result<Deployment, Refused> {
    let images = resolve::images(&context.view, definition)?;
    Ok(start(context, service, definition.key(), images))
}

/// A deployment that goes back to one that completed before.
pub(crate) fn back(
    context: &Context<'_>,
    service: &model::Service,
    target: &model::CompletedDeployment,
) -> Deployment {
    let (definition, images) = (target.task_definition.clone(), target.images.clone());
    Deployment {
        rollout_state_reason: sentence::rolled_back_by_a_person(),
        rollback_of: service.deployment,
        ..start(context, service.id, definition, images)
    }
}

fn start(
    context: &Context<'_>,
    service: ServiceId,
    task_definition: Revision,
    images: BTreeMap<ContainerName, PinnedImage>,
) -> Deployment {
    let now = context.view.now;
    Deployment {
        id: DeploymentId::new(now, context.random()),
        service,
        task_definition,
        images,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: sentence::tasks_are_being_started(),
        failure: None,
        rollback_of: None,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    }
}
