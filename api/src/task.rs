//! Tasks, those that run and those that have stopped.

use std::net::Ipv4Addr;

use model::{
    ClusterName, ContainerId, ContainerName, DeploymentId, DesiredStatus, ImageReference,
    InstanceId, Overrides, Revision, ServiceName, StopCause, StopCode, TaskId, TaskStatus,
    Timestamp, TransportProtocol,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cluster::default_cluster;
use crate::page::{Limit, ListQuery, NextToken};
use crate::task_definition::TaskDefinitionReference;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// Its cluster.
    pub cluster_name: ClusterName,
    /// What it is a copy of.
    pub task_definition: Revision,
    /// `service:NAME` or `family:NAME`.
    pub group: String,
    /// The service that keeps it.
    pub service_name: Option<ServiceName>,
    /// The deployment that started it.
    pub deployment_id: Option<DeploymentId>,
    /// Who started it.
    pub started_by: String,
    /// The instance that it is on.
    pub instance_id: Option<InstanceId>,
    /// The instance's name.
    pub instance_name: Option<String>,
    /// Its own address in the instance's Berth network.
    #[schema(value_type = Option<String>)]
    pub address: Option<Ipv4Addr>,
    /// Where it is.
    pub last_status: TaskStatus,
    /// Where it should be.
    pub desired_status: DesiredStatus,
    /// How the connected routers see it.
    pub health_status: HealthStatus,
    /// What the last check that failed said, of a task that is not healthy.
    pub health_reason: Option<String>,
    /// Why it stops or stopped, in ECS's words.
    pub stop_code: Option<StopCode>,
    /// The same, finer than ECS's code; null where it is not known.
    pub stop_cause: Option<StopCause>,
    /// Why it stops or stopped, for people.
    pub stopped_reason: Option<String>,
    /// Its containers.
    pub containers: Vec<Container>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it reached RUNNING.
    pub started_at: Option<Timestamp>,
    /// When it was first healthy.
    pub healthy_at: Option<Timestamp>,
    /// When it was told to stop.
    pub stopping_at: Option<Timestamp>,
    /// When it had stopped.
    pub stopped_at: Option<Timestamp>,
}

/// Whether a task answers as it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// In all its target groups.
    Healthy,
    /// Not in one of them.
    Unhealthy,
    /// No connected router has said, or it has none.
    Unknown,
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name in the definition.
    pub name: ContainerName,
    /// `repository@digest`.
    pub image: ImageReference,
    /// Docker's id.
    pub runtime_id: Option<ContainerId>,
    /// Its exit code, once it has exited.
    pub exit_code: Option<i64>,
    /// What went wrong with it, for people.
    pub reason: Option<String>,
    /// How often it was started again in place.
    pub restarts: u32,
    /// Its ports on the instance.
    pub network_bindings: Vec<NetworkBinding>,
    /// Its last log lines, once it has exited.
    pub log_tail: Vec<String>,
}

/// A container port on the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkBinding {
    /// The port in the container.
    pub container_port: u16,
    /// The port on the instance.
    pub host_port: u16,
    /// What it speaks below HTTP.
    pub protocol: TransportProtocol,
}

/// Which tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTasksQuery {
    /// The cluster's name; `default` unless it is given.
    #[serde(default = "default_cluster")]
    #[param(inline)]
    pub cluster: ClusterName,
    /// Only those of this service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub service_name: Option<ServiceName>,
    /// RUNNING by default. STOPPED: those that should not run, and those that have stopped.
    #[serde(default = "running")]
    #[param(inline)]
    pub desired_status: DesiredStatus,
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

impl ListTasksQuery {
    /// The tasks of a cluster that should run.
    pub fn of_cluster(cluster: ClusterName) -> Self {
        Self {
            cluster,
            service_name: None,
            desired_status: DesiredStatus::Running,
            limit: Limit::default(),
            next_token: None,
        }
    }
}

impl ListQuery for ListTasksQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

fn running() -> DesiredStatus {
    DesiredStatus::Running
}

/// Tasks to run without a service (ECS `RunTask`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunTaskRequest {
    /// What to run.
    pub task_definition: TaskDefinitionReference,
    /// 1 by default, 10 at most.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10, default = 1)]
    pub count: u32,
    /// In which cluster; `default` unless it is given.
    #[serde(default = "default_cluster")]
    pub cluster_name: ClusterName,
    /// Commands and environment by container.
    #[serde(default)]
    pub overrides: Overrides,
    /// Who starts it; the caller unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 128)]
    pub started_by: Option<String>,
}

fn one() -> u32 {
    1
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunTaskResponse {
    /// The tasks.
    pub tasks: Vec<Task>,
}

/// Why a task is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StopTaskRequest {
    /// For the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
}

/// Which log lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// Go on as lines come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub follow: bool,
    /// Begin with this many of the last lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<u32>,
    /// Only this container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub container: Option<ContainerName>,
}
