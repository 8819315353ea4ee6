//! Tasks: one running copy of a task definition on one instance, never moved.
//!
//! ```text
//! PROVISIONING -> PENDING -> ACTIVATING -> RUNNING -> DEACTIVATING -> STOPPING -> STOPPED
//!   no instance    placed     pull, create   routed     draining        SIGTERM     exited
//! ```
//! The status only moves to the right. A container that exits by itself moves its task to STOPPED from wherever it is.
//!
//! What moves is for [`State::apply`](crate::State::apply) alone to set. Others read it as [`Task::phase`], or by itself.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::definition::{KeyValue, Revision, TransportProtocol};
use crate::docker::ContainerId;
use crate::id::{DeploymentId, InstanceId, ServiceId, StateRevision, TaskId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName};
use crate::resources::Resources;
use crate::stop::Stopped;
use crate::time::Timestamp;

mod lifecycle;
mod new;
mod phase;

pub(crate) use lifecycle::Moment;
pub use new::NewTask;
pub use phase::{Run, Stop, TaskPhase};

/// One running copy of a task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// What it is a copy of.
    pub task_definition: Revision,
    /// The service that keeps it, unless it was run by itself.
    pub service: Option<ServiceId>,
    /// The deployment that started it.
    pub deployment: Option<DeploymentId>,
    /// Who started it: a deployment, or a person.
    pub started_by: String,
    /// What it changes in its definition.
    #[serde(default)]
    pub overrides: Overrides,
    /// What it reserves on its instance until it has stopped.
    pub resources: Resources,
    placement: Option<Placement>,
    containers: Vec<TaskContainer>,
    last_status: TaskStatus,
    desired_status: DesiredStatus,
    stopped: Option<Stopped>,
    /// When it was made.
    pub created_at: Timestamp,
    started_at: Option<Timestamp>,
    healthy_at: Option<Timestamp>,
    stopping_at: Option<Timestamp>,
    stopped_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivated_at: Option<StateRevision>,
    unrouted_at: Option<StateRevision>,
    reaped: bool,
}

impl Task {
    /// Where it runs. None while PROVISIONING, and where it was stopped before it had a place.
    pub fn placement(&self) -> Option<&Placement> {
        self.placement.as_ref()
    }

    /// Its containers, in the order of the definition.
    pub fn containers(&self) -> &[TaskContainer] {
        &self.containers
    }

    /// Where it is.
    pub fn last_status(&self) -> TaskStatus {
        self.last_status
    }

    /// Where it should be.
    pub fn desired_status(&self) -> DesiredStatus {
        self.desired_status
    }

    /// Why it stops or stopped.
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_ref()
    }

    /// When it reached RUNNING.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.started_at
    }

    /// When it was first healthy.
    pub fn healthy_at(&self) -> Option<Timestamp> {
        self.healthy_at
    }

    /// When it was told to stop, or began to by itself.
    pub fn stopping_at(&self) -> Option<Timestamp> {
        self.stopping_at
    }

    /// When it had stopped.
    pub fn stopped_at(&self) -> Option<Timestamp> {
        self.stopped_at
    }

    /// The revision that made it DEACTIVATING: a router whose table is as new sends it nothing new. None where an earlier
    /// version did that.
    pub fn deactivated_at(&self) -> Option<StateRevision> {
        self.deactivated_at
    }

    /// The revision that took it out of the routing table, if it ever was in it. Its address is free again once every
    /// registered router has acknowledged that revision.
    pub fn unrouted_at(&self) -> Option<StateRevision> {
        self.unrouted_at
    }

    /// Whether its agent has removed its containers.
    pub fn reaped(&self) -> bool {
        self.reaped
    }

    /// Whether it holds resources of its instance.
    pub fn reserves(&self) -> bool {
        self.placement.is_some() && self.last_status != TaskStatus::Stopped
    }

    /// Whether routers have it in their table: in service while RUNNING, draining while DEACTIVATING.
    pub fn routed(&self) -> bool {
        self.placement.is_some()
            && matches!(self.last_status, TaskStatus::Running | TaskStatus::Deactivating)
    }

    /// Whether it should run.
    pub fn wanted(&self) -> bool {
        self.desired_status == DesiredStatus::Running
    }

    /// The instance that it is on.
    pub fn instance(&self) -> Option<InstanceId> {
        self.placement.as_ref().map(|placement| placement.instance)
    }
}

/// Where a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// Its address in the instance's Berth network; its containers share it.
    pub address: Ipv4Addr,
    /// The host ports that its container ports are published on.
    pub ports: Vec<PortBinding>,
}

/// A container port published on the instance (ECS `networkBindings`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PortBinding {
    /// The container.
    pub container: ContainerName,
    /// Its port.
    pub container_port: u16,
    /// TCP or UDP.
    pub protocol: TransportProtocol,
    /// The port on the instance's advertised address.
    pub host_port: u16,
}

/// One container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskContainer {
    /// Its name in the definition.
    pub name: ContainerName,
    /// Its image by digest.
    pub image: PinnedImage,
    /// Docker's id of the container, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<ContainerId>,
    /// Its exit code, once it has exited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// What went wrong with it, in a sentence: pull refused, out of memory, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often its restart policy restarted it.
    #[serde(default)]
    pub restarts: u32,
    /// Its last log lines, kept when it has exited; at most 20 lines of 1 KiB.
    #[serde(default)]
    pub log_tail: Vec<String>,
}

impl TaskContainer {
    /// One that has not begun.
    pub fn new(name: ContainerName, image: PinnedImage) -> Self {
        Self {
            name,
            image,
            runtime_id: None,
            exit_code: None,
            reason: None,
            restarts: 0,
            log_tail: Vec::new(),
        }
    }
}

/// Where a task is (ECS `lastStatus`); ordered as it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskStatus {
    /// Waits for an instance.
    Provisioning,
    /// Has an instance; its agent has not begun.
    Pending,
    /// Images are pulled, containers created and started.
    Activating,
    /// Its containers run.
    Running,
    /// Still runs, but routers take it out of rotation.
    Deactivating,
    /// Its containers are told to stop.
    Stopping,
    /// Its containers have exited.
    Stopped,
}

/// Where a task should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DesiredStatus {
    /// Running.
    Running,
    /// Stopped.
    Stopped,
}

/// What a task changes in its definition (ECS `TaskOverride`).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Overrides {
    /// By container.
    pub container_overrides: Vec<ContainerOverride>,
}

/// What a task changes in one container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerOverride {
    /// The container.
    pub name: ContainerName,
    /// Its command instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Environment variables added or replaced.
    #[serde(default)]
    pub environment: Vec<KeyValue>,
}
