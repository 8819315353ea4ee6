//! Services and their deployments.

use std::collections::BTreeMap;

use api::{DeploymentStatus, HealthStatus, RevisionImage, ServiceProblem};
use model::history::ServiceEvent;
use model::{
    ContainerName, DeploymentCause, ImageReference, Observed, PinnedImage, RolloutState, Service,
    ServiceRevision, State, Task,
};

use super::{pending, running};
use crate::View;

/// Exits of tasks that were healthy that are called a crash loop.
const CRASH_LOOP: u32 = 3;

/// Something that happened to a service.
pub(crate) fn event(event: &ServiceEvent) -> api::ServiceEvent {
    api::ServiceEvent {
        created_at: event.at,
        message: event.message.clone(),
        event: event.event.clone(),
    }
}

/// A service without events: those are history, which the caller reads.
pub(crate) fn service(view: &View<'_>, service: &Service) -> Option<api::Service> {
    let View { state, observed, router_port, .. } = *view;
    let requested = state.requested_revision(service)?;
    let tasks = || state.tasks_of(service.id).filter(|task| task.wanted());
    Some(api::Service {
        service_name: service.name.clone(),
        service_id: service.id,
        cluster_name: service.cluster.clone(),
        status: service.status,
        desired_count: service.desired_count,
        running_count: running(tasks()),
        pending_count: pending(tasks()),
        revision: requested.number,
        task_definition: requested.task_definition.clone(),
        images: images(state, requested),
        problems: problems(state, observed, service),
        url: super::url(state, service, router_port),
        scheduling_strategy: service.scheduling_strategy,
        deployment_configuration: service.deployment_configuration.clone(),
        follow_tags: service.follow_tags,
        placement_failure: service.placement_failure.as_ref().map(ToString::to_string),
        placement_failure_cause: service.placement_failure.clone(),
        load_balancers: load_balancers(state, service),
        health_check_grace_period_seconds: service.health_check_grace_period_seconds,
        deployments: deployments(state, service),
        proven_revision: state.proven_revision(service).map(|proven| api::ProvenRevision {
            revision: proven.number,
            task_definition: proven.task_definition.clone(),
        }),
        events: Vec::new(),
        created_at: service.created_at,
        created_by: service.created_by.clone(),
    })
}

/// The images of a revision: as they were asked for, and as they were found.
pub(crate) fn images(
    state: &State,
    revision: &ServiceRevision,
) -> BTreeMap<ContainerName, RevisionImage> {
    let definition = state.task_definition(&revision.task_definition);
    let image = |(name, pinned): (&ContainerName, &PinnedImage)| {
        let container = definition.and_then(|definition| definition.container(name));
        let image = container.map_or_else(
            || ImageReference::from(pinned.clone()),
            |container| container.image.clone(),
        );
        (name.clone(), RevisionImage { image, digest: pinned.digest })
    };
    revision.images.iter().map(image).collect()
}

/// What is wrong with a service now; what people can act on comes first.
fn problems(state: &State, observed: &Observed, service: &Service) -> Vec<ServiceProblem> {
    let not_placed = service.placement_failure.as_ref().map(|failure| ServiceProblem::NotPlaced {
        reason: failure.to_string(),
        advice: failure.advice(&service.name),
    });
    let deployment = state.current_deployment(service);
    // One that was given up starts none again.
    let crash_loop = deployment.filter(|deployment| {
        deployment.crashed_tasks >= CRASH_LOOP && deployment.rollout_state != RolloutState::Failed
    });
    let crash_loop = crash_loop.map(|deployment| ServiceProblem::CrashLoop {
        exits: deployment.crashed_tasks,
        reason: deployment.last_crash.clone(),
        last_at: deployment.last_failure_at,
    });
    let failed = deployment.and_then(|deployment| failed(state, deployment));
    let all = not_placed.into_iter().chain(unhealthy(state, observed, service));
    all.chain(crash_loop).chain(failed).collect()
}

fn unhealthy(state: &State, observed: &Observed, service: &Service) -> Option<ServiceProblem> {
    let tasks = state.tasks_of(service.id).filter(|task| task.wanted());
    let checks: Vec<_> = tasks
        .filter_map(|task| match super::task::health(state, observed, task) {
            (HealthStatus::Unhealthy, check) => Some(check.unwrap_or_default()),
            (HealthStatus::Healthy | HealthStatus::Unknown, _) => None,
        })
        .collect();
    let check = checks.first()?.clone();
    Some(ServiceProblem::Unhealthy { tasks: super::count(checks.iter()), check })
}

/// The deployment that was asked for last and failed: the one that counts, or the one that it goes back from.
fn failed(state: &State, counts: &model::Deployment) -> Option<ServiceProblem> {
    let (failed, rolled_back) = match counts.cause {
        DeploymentCause::Failure { of } => (state.deployment(of)?, true),
        _ if counts.rollout_state == RolloutState::Failed => (counts, false),
        DeploymentCause::Requested | DeploymentCause::Pushed | DeploymentCause::Rollback { .. } => {
            return None;
        }
    };
    Some(ServiceProblem::DeploymentFailed {
        deployment: failed.id,
        cause: failed.cause.clone(),
        reason: failed.rollout_state_reason.clone(),
        rolled_back,
    })
}

fn load_balancers(state: &State, service: &Service) -> Vec<api::LoadBalancer> {
    let describe = |balancer: &model::LoadBalancer| {
        Some(api::LoadBalancer {
            target_group_name: state.target_group(balancer.target_group)?.name.clone(),
            container_name: balancer.container_name.clone(),
            container_port: balancer.container_port,
        })
    };
    state.load_balancers(service).iter().filter_map(describe).collect()
}

/// The one that counts, then the others, newest first.
fn deployments(state: &State, service: &Service) -> Vec<api::Deployment> {
    let of_it = state.deployments_of(service.id);
    let mut all: Vec<_> =
        of_it.filter_map(|deployment| describe(state, service, deployment)).collect();
    all.reverse();
    all.sort_by_key(|deployment| deployment.status);
    all
}

/// Each task counts for one: for the PRIMARY deployment if that keeps it, else for its own. None for an older one without
/// tasks, or whose tasks are all kept.
fn describe(
    state: &State,
    service: &Service,
    deployment: &model::Deployment,
) -> Option<api::Deployment> {
    let primary = state.current_deployment(service);
    let revision = state.service_revision(deployment.revision)?;
    let counts = service.deployment == Some(deployment.id);
    let is_kept = |task: &Task| primary.is_some_and(|primary| state.owns(primary, task));
    let own = || {
        let all = state.tasks_of(service.id);
        all.filter(|task| task.deployment == Some(deployment.id))
    };
    if !counts && own().all(is_kept) {
        return None;
    }
    let tasks = || {
        let all = state.tasks_of(service.id).filter(|task| task.wanted());
        all.filter(|task| {
            if counts {
                state.owns(deployment, task)
            } else {
                task.deployment == Some(deployment.id) && !is_kept(task)
            }
        })
    };
    let images = revision.images.iter();
    Some(api::Deployment {
        id: deployment.id,
        status: if counts { DeploymentStatus::Primary } else { DeploymentStatus::Active },
        revision: revision.number,
        task_definition: revision.task_definition.clone(),
        images: images.map(|(name, image)| (name.clone(), image.clone().into())).collect(),
        desired_count: if counts { service.desired_count } else { 0 },
        running_count: running(tasks()),
        pending_count: pending(tasks()),
        failed_tasks: deployment.failed_tasks,
        crashed_tasks: deployment.crashed_tasks,
        last_failure_at: deployment.last_failure_at,
        rollout_state: deployment.rollout_state,
        stage: deployment.stage,
        cause: deployment.cause.clone(),
        rollout_state_reason: deployment.rollout_state_reason.clone(),
        failure: deployment.failure.clone(),
        rollback_of: deployment.rollback_of(),
        created_at: deployment.created_at,
        created_by: deployment.created_by.clone(),
        updated_at: deployment.updated_at,
    })
}
