//! Tasks, those that run and those that are history.

use model::observed::{TargetHealth, TargetSeen};
use model::{Observed, State, StopCode, Task, TaskContainer, TaskStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::at;

/// A task.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskShape {
    pub(crate) task_id: String,
    pub(crate) cluster_name: String,
    pub(crate) task_definition: String,
    /// `service:NAME` or `family:NAME`.
    pub(crate) group: String,
    pub(crate) service_name: Option<String>,
    pub(crate) deployment_id: Option<String>,
    pub(crate) started_by: String,
    pub(crate) instance_id: Option<String>,
    pub(crate) instance_name: Option<String>,
    /// Its own address in the instance's Berth network.
    pub(crate) address: Option<String>,
    pub(crate) last_status: String,
    pub(crate) desired_status: &'static str,
    /// HEALTHY, UNHEALTHY or UNKNOWN.
    pub(crate) health_status: &'static str,
    /// What the last check that failed said, of a task that is not healthy.
    pub(crate) health_reason: Option<String>,
    pub(crate) stop_code: Option<String>,
    pub(crate) stopped_reason: Option<String>,
    pub(crate) containers: Vec<ContainerShape>,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) healthy_at: Option<String>,
    pub(crate) stopping_at: Option<String>,
    pub(crate) stopped_at: Option<String>,
}

/// One container of a task.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerShape {
    pub(crate) name: String,
    /// `repository@digest`.
    pub(crate) image: String,
    /// Docker's id.
    pub(crate) runtime_id: Option<String>,
    pub(crate) exit_code: Option<i64>,
    pub(crate) reason: Option<String>,
    pub(crate) restarts: u32,
    pub(crate) network_bindings: Vec<BindingShape>,
    /// Its last log lines, once it has exited.
    pub(crate) log_tail: Vec<String>,
}

/// A container port on the instance.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BindingShape {
    pub(crate) container_port: u16,
    pub(crate) host_port: u16,
    pub(crate) protocol: String,
}

fn status(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Provisioning => "PROVISIONING",
        TaskStatus::Pending => "PENDING",
        TaskStatus::Activating => "ACTIVATING",
        TaskStatus::Running => "RUNNING",
        TaskStatus::Deactivating => "DEACTIVATING",
        TaskStatus::Stopping => "STOPPING",
        TaskStatus::Stopped => "STOPPED",
    }
}

fn stop_code(code: StopCode) -> &'static str {
    match code {
        StopCode::TaskFailedToStart => "TaskFailedToStart",
        StopCode::EssentialContainerExited => "EssentialContainerExited",
        StopCode::UserInitiated => "UserInitiated",
        StopCode::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
        StopCode::InfrastructureHealth => "InfrastructureHealth",
    }
}

impl TaskShape {
    /// `service_name` is what history remembers of a service that is gone.
    pub(crate) fn of(
        state: &State,
        observed: &Observed,
        task: &Task,
        service_name: Option<String>,
    ) -> Self {
        let service = task.service.and_then(|id| state.service(id));
        let service_name = service_name.or_else(|| service.map(|one| one.name.to_string()));
        let instance = task.instance().and_then(|id| state.instance(id));
        let (health_status, health_reason) = health(state, observed, task);
        Self {
            task_id: task.id.to_string(),
            cluster_name: task.cluster.to_string(),
            task_definition: task.task_definition.to_string(),
            group: match &service_name {
                Some(name) => format!("service:{name}"),
                None => format!("family:{}", task.task_definition.family),
            },
            service_name,
            deployment_id: task.deployment.map(|id| id.to_string()),
            started_by: task.started_by.clone(),
            instance_id: task.instance().map(|id| id.to_string()),
            instance_name: instance.map(|instance| instance.name.clone()),
            address: task.placement.as_ref().map(|placement| placement.address.to_string()),
            last_status: status(task.last_status).to_owned(),
            desired_status: if task.wanted() { "RUNNING" } else { "STOPPED" },
            health_status,
            health_reason,
            stop_code: task.stopped.as_ref().map(|stopped| stop_code(stopped.code).to_owned()),
            stopped_reason: task.stopped.as_ref().map(|stopped| stopped.reason.clone()),
            containers: task.containers.iter().map(|one| container(task, one)).collect(),
            created_at: at(task.created_at),
            started_at: task.started_at.map(at),
            healthy_at: task.healthy_at.map(at),
            stopping_at: task.stopping_at.map(at),
            stopped_at: task.stopped_at.map(at),
        }
    }
}

fn container(task: &Task, container: &TaskContainer) -> ContainerShape {
    let ports = task.placement.iter().flat_map(|placement| &placement.ports);
    ContainerShape {
        name: container.name.to_string(),
        image: container.image.to_string(),
        runtime_id: container.runtime_id.clone(),
        exit_code: container.exit_code,
        reason: container.reason.clone(),
        restarts: container.restarts,
        network_bindings: ports
            .filter(|binding| binding.container == container.name)
            .map(|binding| BindingShape {
                container_port: binding.container_port,
                host_port: binding.host_port,
                protocol: binding.protocol.to_string(),
            })
            .collect(),
        log_tail: container.log_tail.clone(),
    }
}

/// Healthy in all its target groups, unhealthy in any; unknown where no connected router has said. With why not, as far as
/// a router has said that.
fn health(state: &State, observed: &Observed, task: &Task) -> (&'static str, Option<String>) {
    let service = task.service.and_then(|id| state.service(id));
    let mut word = ("UNKNOWN", None);
    for balancer in service.iter().flat_map(|service| &service.load_balancers) {
        match observed.target_health(balancer.target_group, task.id) {
            Some(TargetSeen { health: TargetHealth::Unhealthy, reason, .. }) => {
                return ("UNHEALTHY", reason);
            }
            Some(TargetSeen { health: TargetHealth::Healthy, .. }) => word = ("HEALTHY", None),
            Some(TargetSeen { health: TargetHealth::Initial, reason, .. }) => {
                return ("UNKNOWN", reason);
            }
            None => return ("UNKNOWN", None),
        }
    }
    word
}
