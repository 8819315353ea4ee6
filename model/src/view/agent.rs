//! What an agent should see: its own instance and the tasks on it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::collection::{View as _, place, view};
use crate::cluster::Subnet;
use crate::definition::{KeyValue, RestartPolicy, Revision};
use crate::id::{InstallationId, InstanceId, TaskId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::state::State;
use crate::task::{PortBinding, Task, TaskPhase};

view! {
    /// What an agent should see. Nothing of it lies on the agent's disk: it begins anew from its containers and this.
    pub struct AgentView of InstanceId {
        /// The agent's own instance: one row.
        instances: InstanceId => InstanceView, named "instances", on disk Never,
        rows instance_rows, sources instance_sources;
        /// The tasks of the instance.
        tasks: TaskId => AssignedTask, named "tasks", on disk Never,
        rows task_rows, sources task_sources;
    }
}

/// An instance as its agent should see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceView {
    /// The installation: in every label.
    pub installation: InstallationId,
    /// The instance.
    pub id: InstanceId,
    /// The subnet of the instance's Berth network; nothing runs before there is one.
    pub subnet: Option<Subnet>,
    /// The address that host ports are published on.
    pub advertised_address: IpAddr,
}

/// A task as its agent should see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedTask {
    /// The task.
    pub id: TaskId,
    /// What should become of it.
    pub wanted: Wanted,
    /// Whether it was seen RUNNING before: containers that are gone then are an end, not a beginning.
    pub started: bool,
    /// Its cluster.
    pub cluster: ClusterName,
    /// The name of its service.
    pub service: Option<ServiceName>,
    /// Its definition.
    pub task_definition: Revision,
    /// Its address in the Berth network.
    pub address: Ipv4Addr,
    /// The host ports to publish.
    pub ports: Vec<PortBinding>,
    /// CPU units that the task may use as a whole; 1024 is one core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// MiB that the task may use as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Its containers in starting order; overrides are applied.
    pub containers: Vec<AssignedContainer>,
}

/// What should become of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Wanted {
    /// Run it.
    Run,
    /// Stop it: `desiredStatus` STOPPED, and routers are done with it.
    Stop,
    /// Its end is committed, exit codes and last log lines included: remove its containers and say so.
    Reap,
}

/// A container as its agent should see it: the closed specification that is translated to Docker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssignedContainer {
    /// Its name.
    pub name: ContainerName,
    /// Its image, by digest.
    pub image: PinnedImage,
    /// Whether the task stops with it.
    pub essential: bool,
    /// CPU units: the share under contention; 0 where nothing is said.
    pub cpu: u64,
    /// Hard memory limit in MiB, where one is said.
    pub memory: Option<u64>,
    /// Soft memory limit in MiB, where one is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u64>,
    /// Environment variables.
    pub environment: Vec<KeyValue>,
    /// Instead of the image's ENTRYPOINT.
    pub entry_point: Option<Vec<String>>,
    /// Instead of the image's CMD.
    pub command: Option<Vec<String>>,
    /// Instead of the image's WORKDIR.
    pub working_directory: Option<String>,
    /// Instead of the image's USER.
    pub user: Option<String>,
    /// Root file system read-only.
    pub readonly_root_filesystem: bool,
    /// Seconds between SIGTERM and SIGKILL.
    pub stop_timeout_secs: u32,
    /// Restart in place.
    pub restart_policy: Option<RestartPolicy>,
}

impl AgentView {
    /// The agent's own instance; None in a view that is not one of an agent's.
    pub fn instance(&self) -> Option<&InstanceView> {
        self.instances.values().next()
    }
}

impl State {
    /// What the agent of this instance should see; None where the instance is not known.
    pub fn agent_view(&self, id: InstanceId) -> Option<AgentView> {
        Some(AgentView::of(self, id)).filter(|view| view.instance().is_some())
    }
}

fn instance_rows(
    state: &State,
    id: InstanceId,
) -> impl Iterator<Item = (InstanceId, InstanceView)> {
    let view = state.installation().zip(state.instance(id)).map(|(installation, instance)| {
        let (subnet, advertised_address) = (instance.subnet, instance.advertised_address);
        (id, InstanceView { installation, id, subnet, advertised_address })
    });
    view.into_iter()
}

fn instance_sources(state: &State, id: InstanceId) -> impl Iterator<Item = usize> {
    state.instance(id).map(place).into_iter()
}

fn task_rows(state: &State, id: InstanceId) -> impl Iterator<Item = (TaskId, AssignedTask)> {
    state.tasks_on(id).filter_map(|task| Some((task.id, assigned(state, task)?)))
}

/// Task definitions and names of services are not among them: they never change.
fn task_sources(state: &State, id: InstanceId) -> impl Iterator<Item = usize> {
    state.tasks_on(id).map(place)
}

fn assigned(state: &State, task: &Task) -> Option<AssignedTask> {
    if task.reaped() {
        return None;
    }
    let placement = task.placement()?;
    let definition = state.task_definition(&task.task_definition)?;
    let containers = definition
        .container_definitions
        .iter()
        .filter_map(|container| {
            let image = task.containers().iter().find(|c| c.name == container.name)?.image.clone();
            let overrides =
                task.overrides.container_overrides.iter().find(|o| o.name == container.name);
            let mut environment = container.environment.clone();
            for variable in overrides.iter().flat_map(|over| &over.environment) {
                environment.retain(|known| known.name != variable.name);
                environment.push(variable.clone());
            }
            let command = overrides.and_then(|over| over.command.clone());
            Some(AssignedContainer {
                name: container.name.clone(),
                image,
                essential: container.essential,
                cpu: container.cpu,
                memory: container.memory,
                memory_reservation: container.memory_reservation,
                environment,
                entry_point: container.entry_point.clone(),
                command: command.or_else(|| container.command.clone()),
                working_directory: container.working_directory.clone(),
                user: container.user.clone(),
                readonly_root_filesystem: container.readonly_root_filesystem,
                stop_timeout_secs: container.stop_timeout_secs(),
                restart_policy: container.restart_policy.clone(),
            })
        })
        .collect();
    Some(AssignedTask {
        id: task.id,
        wanted: match task.phase() {
            TaskPhase::Provisioning
            | TaskPhase::Pending { .. }
            | TaskPhase::Activating { .. }
            | TaskPhase::Running { .. }
            | TaskPhase::Deactivating { .. } => Wanted::Run,
            TaskPhase::Stopping { .. } => Wanted::Stop,
            TaskPhase::Stopped { .. } => Wanted::Reap,
        },
        started: task.started_at().is_some(),
        cluster: task.cluster.clone(),
        service: task.service.and_then(|id| state.service(id)).map(|s| s.name.clone()),
        task_definition: task.task_definition.clone(),
        address: placement.address,
        ports: placement.ports.clone(),
        cpu: definition.cpu,
        memory: definition.memory,
        containers,
    })
}
