//! Services and their deployments.

use api::DeploymentStatus;
use model::history::ServiceEvent;
use model::{Service, State, Task};

use super::{pending, running};

/// Something that happened to a service.
pub(crate) fn event(event: &ServiceEvent) -> api::ServiceEvent {
    api::ServiceEvent {
        created_at: event.at,
        message: event.message.clone(),
        event: event.event.clone(),
    }
}

/// A service without events: those are history, which the caller reads.
pub(crate) fn service(state: &State, service: &Service, router_port: u16) -> Option<api::Service> {
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
