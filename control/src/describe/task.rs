//! Tasks, those that run and those that are history.

use api::HealthStatus;
use model::observed::{TargetHealth, TargetSeen};
use model::{Observed, ServiceName, State, Task, TaskContainer};

/// A task. `service_name` is what history remembers of a service that is gone.
pub(crate) fn task(
    state: &State,
    observed: &Observed,
    task: &Task,
    service_name: Option<ServiceName>,
) -> api::Task {
    let service = task.service.and_then(|id| state.service(id));
    let service_name = service_name.or_else(|| service.map(|one| one.name.clone()));
    let instance = task.instance().and_then(|id| state.instance(id));
    let (health_status, health_reason) = health(state, observed, task);
    api::Task {
        task_id: task.id,
        cluster_name: task.cluster.clone(),
        task_definition: task.task_definition.clone(),
        group: match &service_name {
            Some(name) => format!("service:{name}"),
            None => format!("family:{}", task.task_definition.family),
        },
        service_name,
        deployment_id: task.deployment,
        started_by: task.started_by.clone(),
        instance_id: task.instance(),
        instance_name: instance.map(|instance| instance.name.clone()),
        address: task.placement().map(|placement| placement.address),
        last_status: task.last_status(),
        desired_status: task.desired_status(),
        health_status,
        health_reason,
        stop_code: task.stopped().map(|stopped| stopped.code),
        stop_cause: task.stopped().and_then(|stopped| stopped.cause),
        stopped_reason: task.stopped().map(|stopped| stopped.reason.clone()),
        containers: task.containers().iter().map(|one| container(task, one)).collect(),
        created_at: task.created_at,
        started_at: task.started_at(),
        healthy_at: task.healthy_at(),
        stopping_at: task.stopping_at(),
        stopped_at: task.stopped_at(),
    }
}

fn container(task: &Task, container: &TaskContainer) -> api::Container {
    let ports = task.placement().into_iter().flat_map(|placement| &placement.ports);
    api::Container {
        name: container.name.clone(),
        image: container.image.clone().into(),
        runtime_id: container.runtime_id.clone(),
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        restarts: container.restarts,
        network_bindings: ports
            .filter(|binding| binding.container == container.name)
            .map(|binding| api::NetworkBinding {
                container_port: binding.container_port,
                host_port: binding.host_port,
                protocol: binding.protocol,
            })
            .collect(),
        log_tail: container.log_tail.clone(),
    }
}

/// Healthy in all its target groups, unhealthy in any; unknown where no connected router has said. With why not, as far as
/// a router has said that.
pub(crate) fn health(
    state: &State,
    observed: &Observed,
    task: &Task,
) -> (HealthStatus, Option<String>) {
    let mut word = (HealthStatus::Unknown, None);
    for balancer in state.load_balancers_of(task) {
        match observed.target_health(balancer.target_group, task.id) {
            Some(TargetSeen { health: TargetHealth::Unhealthy, reason, .. }) => {
                return (HealthStatus::Unhealthy, reason);
            }
            Some(TargetSeen { health: TargetHealth::Healthy, .. }) => {
                word = (HealthStatus::Healthy, None);
            }
            Some(TargetSeen { health: TargetHealth::Initial, reason, .. }) => {
                return (HealthStatus::Unknown, reason);
            }
            None => return (HealthStatus::Unknown, None),
        }
    }
    word
}
