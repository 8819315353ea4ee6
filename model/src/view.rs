//! What each peer should see: the part of State that is its own, as plain data. The link sends these down; absence is
//! never an order.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::cluster::{HostIdentity, Subnet};
use crate::definition::{KeyValue, RestartPolicy, Revision};
use crate::id::{InstallationId, InstanceId, ServiceId, TargetGroupId, TaskId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName, ServiceName, TargetGroupName};
use crate::routing::{HealthCheck, Listener, Rule};
use crate::state::State;
use crate::task::{PortBinding, Task, TaskStatus};

/// What an agent should see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    /// The installation: in every label.
    pub installation: InstallationId,
    /// The agent's instance.
    pub instance: InstanceId,
    /// The subnet of the instance's Berth network; nothing runs before there is one.
    pub subnet: Option<Subnet>,
    /// The address that host ports are published on.
    pub advertised_address: IpAddr,
    /// The tasks of the instance.
    pub tasks: Vec<AssignedTask>,
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
    /// CPU units: the share under contention.
    pub cpu: u64,
    /// Hard memory limit in MiB; none when absent.
    pub memory: Option<u64>,
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

/// What a router should see: everything that it routes by.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterView {
    /// Listeners.
    pub listeners: Vec<Listener>,
    /// Rules of all listeners.
    pub rules: Vec<Rule>,
    /// Target groups with their targets.
    pub target_groups: Vec<TargetGroupView>,
}

/// A target group as routers should see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroupView {
    /// Its id.
    pub id: TargetGroupId,
    /// Its name.
    pub name: TargetGroupName,
    /// How to check its targets.
    pub health_check: HealthCheck,
    /// How long a request may be held while it has no target: a deployment or a first task is under way.
    pub expects_targets: bool,
    /// Its targets.
    pub targets: Vec<TargetView>,
}

/// A target as routers should see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetView {
    /// The task: the target's identity. Its address may have belonged to another before.
    pub task: TaskId,
    /// Its own address, for routers on the same host.
    pub direct: SocketAddr,
    /// Its published address, for all others.
    pub published: Option<SocketAddr>,
    /// The host that it is on.
    pub host: HostIdentity,
    /// Whether it leaves: no new requests, those in flight may end.
    pub draining: bool,
}

impl State {
    /// What the agent of this instance should see; None where the instance is not known.
    pub fn agent_view(&self, id: InstanceId) -> Option<AgentView> {
        let instance = self.instance(id)?;
        let tasks = self.tasks_on(id).filter_map(|task| self.assigned(task)).collect();
        Some(AgentView {
            installation: self.installation()?,
            instance: id,
            subnet: instance.subnet,
            advertised_address: instance.advertised_address,
            tasks,
        })
    }

    fn assigned(&self, task: &Task) -> Option<AssignedTask> {
        if task.reaped {
            return None;
        }
        let placement = task.placement.as_ref()?;
        let definition = self.task_definition(&task.task_definition)?;
        let containers = definition
            .container_definitions
            .iter()
            .filter_map(|container| {
                let image =
                    task.containers.iter().find(|c| c.name == container.name)?.image.clone();
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
            wanted: match task.last_status {
                TaskStatus::Provisioning
                | TaskStatus::Pending
                | TaskStatus::Activating
                | TaskStatus::Running
                | TaskStatus::Deactivating => Wanted::Run,
                TaskStatus::Stopping => Wanted::Stop,
                TaskStatus::Stopped => Wanted::Reap,
            },
            started: task.started_at.is_some(),
            cluster: task.cluster.clone(),
            service: task.service.and_then(|id| self.service(id)).map(|s| s.name.clone()),
            task_definition: task.task_definition.clone(),
            address: placement.address,
            ports: placement.ports.clone(),
            containers,
        })
    }

    /// What every router should see.
    pub fn router_view(&self) -> RouterView {
        RouterView {
            listeners: self.listeners().cloned().collect(),
            rules: self.rules().cloned().collect(),
            target_groups: self
                .target_groups()
                .map(|group| {
                    let users = self.services().flat_map(|service| {
                        service
                            .load_balancers
                            .iter()
                            .filter(|balancer| balancer.target_group == group.id)
                            .map(move |balancer| (service, balancer))
                    });
                    let mut expects_targets = false;
                    let mut targets = Vec::new();
                    for (service, balancer) in users {
                        expects_targets |= service.desired_count > 0;
                        targets.extend(self.targets_of(
                            service.id,
                            &balancer.container_name,
                            balancer.container_port,
                        ));
                    }
                    TargetGroupView {
                        id: group.id,
                        name: group.name.clone(),
                        health_check: group.health_check.clone(),
                        expects_targets,
                        targets,
                    }
                })
                .collect(),
        }
    }

    fn targets_of(
        &self,
        service: ServiceId,
        container: &ContainerName,
        port: u16,
    ) -> impl Iterator<Item = TargetView> {
        self.tasks_of(service).filter(|task| task.routed()).filter_map(move |task| {
            let placement = task.placement.as_ref()?;
            let instance = self.instance(placement.instance)?;
            // A task of another revision than the newest keeps serving on its own port.
            let definition = self.task_definition(&task.task_definition)?;
            let port = definition.container(container)?.serving_port(port)?;
            let binding = placement
                .ports
                .iter()
                .find(|binding| binding.container == *container && binding.container_port == port);
            Some(TargetView {
                task: task.id,
                direct: SocketAddr::new(placement.address.into(), port),
                published: binding
                    .map(|binding| SocketAddr::new(instance.advertised_address, binding.host_port)),
                host: instance.host.clone(),
                draining: task.last_status == TaskStatus::Deactivating,
            })
        })
    }
}
