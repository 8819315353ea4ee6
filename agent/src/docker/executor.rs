//! Executes Ops. Each is one call of Docker's API and idempotent: what is already so counts as done.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, KillContainerOptions, RemoveContainerOptions, RestartContainerOptions,
    StartContainerOptions,
};
use model::{
    AssignedContainer, AssignedTask, ContainerId, ContainerName, Platform, StopCause, Stopped,
};
use tokio::sync::Semaphore;

use super::image::PullError;
use super::{Engine, is_missing, within};
use crate::cgroup::Cgroups;
use crate::classify;
use crate::disk_limit::DiskLimit;
use crate::error::{DockerError, OpError};
use crate::limits::{self, Limits};
use crate::log_store::LogStore;
use crate::mirror::Mirror;
use crate::next;
use crate::op::{Done, Op};
use crate::owner::Owner;
use crate::sentences;
use crate::spec;

const CREATE: Duration = Duration::from_mins(2);
const START: Duration = Duration::from_mins(1);
const SIGNAL: Duration = Duration::from_secs(15);
const REMOVE: Duration = Duration::from_mins(1);

/// Executes Ops on the instance's engine.
#[derive(Debug, Clone)]
pub(crate) struct Executor {
    /// The engine.
    pub(crate) engine: Engine,
    /// The labels and names of the instance's objects.
    pub(crate) owner: Owner,
    /// The mirror that images are pulled through.
    pub(crate) mirror: Arc<Mirror>,
    /// The engine's platform.
    pub(crate) platform: Platform,
    /// Permits for pulls.
    pub(crate) pulls: Arc<Semaphore>,
    /// The logs of containers that are gone.
    pub(crate) logs: Arc<LogStore>,
    /// How tasks are bounded as a whole.
    pub(crate) cgroups: Arc<Cgroups>,
    /// MiB of memory that the host has, where that is known.
    pub(crate) host_memory: Option<u64>,
    /// What a container may write in its own file system.
    pub(crate) disk_limit: DiskLimit,
}

/// Names the program that has a host port of the task, where it can be found.
fn name_holder(task: &AssignedTask, failed: OpError) -> OpError {
    let OpError::Fatal(Stopped { cause: Some(StopCause::PortTaken), .. }) = &failed else {
        return failed;
    };
    let held = task.ports.iter().find_map(|binding| {
        let (program, pid) = link::host::listener(binding.host_port)?;
        Some(sentences::host_port_held(binding.host_port, &program, &pid))
    });
    held.map_or(failed, |reason| OpError::Fatal(Stopped::new(StopCause::PortTaken, reason)))
}

impl Executor {
    /// Executes an Op of a task; its ports are published on the address `published_on`.
    pub(crate) async fn execute(
        &self,
        task: &AssignedTask,
        op: &Op,
        published_on: IpAddr,
    ) -> Result<Done, OpError> {
        let Some(container) = task.containers.iter().find(|one| one.name == *op.container()) else {
            let reason = sentences::no_such_container(op.container());
            return Err(OpError::Fatal(Stopped::new(StopCause::ContainerNotCreated, reason)));
        };
        let done = match op {
            Op::Pull { container: name } => return self.pull(task, name, container).await,
            Op::Find { .. } => {
                let found = self.engine.find(&self.mirror, &container.image, &self.platform);
                found.await.map(Done::Found)
            }
            Op::Create { image, network, stop_signal, .. } => {
                let parent = self.bound(task).await;
                let limits = limits::limits(task, container, parent, self.host_memory);
                let disk = self.disk_limit;
                let disk = disk.is_held_by_docker.then_some(disk.mebibytes);
                let limits = Limits { disk, ..limits };
                let owner = &self.owner;
                let body =
                    spec::body(owner, task, container, image, network, published_on, &limits);
                let stop_signal = Some(stop_signal.clone());
                self.create(task, container, ContainerCreateBody { stop_signal, ..body }).await
            }
            Op::Start { id, .. } => {
                self.bound(task).await;
                self.start(id).await
            }
            Op::Restart { id, timeout_secs, .. } => {
                self.bound(task).await;
                self.restart(id, *timeout_secs).await
            }
            Op::Terminate { id, signal, .. } => self.signal(id, signal).await,
            Op::Kill { id, .. } => self.signal(id, "SIGKILL").await,
            Op::Tail { id, .. } => self.engine.tail(id).await.map(Done::Read),
            Op::Remove { id, .. } => {
                self.keep_log(task, &container.name, id).await;
                let removed = self.remove(id).await;
                // The last one to be removed: nothing of the task is in it any more.
                if next::network_owner(task).is_some_and(|owner| owner.name == container.name) {
                    self.cgroups.remove(task).await;
                }
                removed
            }
        };
        done.map_err(|error| name_holder(task, classify::docker(op, task, &error)))
    }

    async fn pull(
        &self,
        task: &AssignedTask,
        name: &ContainerName,
        container: &AssignedContainer,
    ) -> Result<Done, OpError> {
        // The semaphore is never closed, so that there is always a permit.
        let _permit = self.pulls.acquire().await.ok();
        tracing::info!(task.id = %task.id, "pulling `{}`", container.image);
        match self.engine.pull(&self.mirror, &container.image).await {
            Ok(()) => Ok(Done::Pulled),
            Err(PullError::Mirror(error)) => Err(classify::mirror(task, name, &error)),
            Err(PullError::Zstd(error)) => Err(classify::zstd(task, name, &error)),
            Err(PullError::Docker(error)) => {
                let op = Op::Pull { container: name.clone() };
                Err(classify::docker(&op, task, &error))
            }
        }
    }

    async fn create(
        &self,
        task: &AssignedTask,
        container: &AssignedContainer,
        body: ContainerCreateBody,
    ) -> Result<Done, DockerError> {
        let options = CreateContainerOptions {
            name: Some(self.owner.container(task.id, &container.name)),
            ..CreateContainerOptions::default()
        };
        let call = self.engine.docker.create_container(Some(options), body);
        within(CREATE, call).await.map(|created| Done::Created(created.id.into()))
    }

    /// Makes the control group that bounds the task, where it has bounds of its own. Where that fails now, what it has is
    /// divided over its containers.
    async fn bound(&self, task: &AssignedTask) -> Option<String> {
        let parent = self.cgroups.parent(task)?;
        match self.cgroups.ensure(task).await {
            Ok(()) => Some(parent),
            Err(error) => {
                tracing::warn!(task.id = %task.id, "cannot bound task `{}` as a whole: {error}", task.id);
                None
            }
        }
    }

    async fn start(&self, id: &ContainerId) -> Result<Done, DockerError> {
        let call = self.engine.docker.start_container(id.as_str(), None::<StartContainerOptions>);
        within(START, call).await.map(|()| Done::Started)
    }

    async fn restart(&self, id: &ContainerId, timeout_secs: u32) -> Result<Done, DockerError> {
        let options = RestartContainerOptions {
            t: Some(i32::try_from(timeout_secs).unwrap_or(i32::MAX)),
            ..RestartContainerOptions::default()
        };
        let limit = START + Duration::from_secs(timeout_secs.into());
        let call = self.engine.docker.restart_container(id.as_str(), Some(options));
        within(limit, call).await.map(|()| Done::Started)
    }

    async fn signal(&self, id: &ContainerId, signal: &str) -> Result<Done, DockerError> {
        let options = KillContainerOptions { signal: signal.to_owned() };
        let call = self.engine.docker.kill_container(id.as_str(), Some(options));
        within(SIGNAL, call).await.map(|()| Done::Signalled)
    }

    /// Keeps the log of a container that is about to be removed. Where that fails, the removal goes on: it may be what makes
    /// room on the disk.
    async fn keep_log(&self, task: &AssignedTask, name: &ContainerName, id: &ContainerId) {
        let log = match self.engine.last_lines(id).await {
            Ok(log) => log,
            Err(error) => {
                tracing::debug!(%error, task.id = %task.id, "the log of `{name}` cannot be read");
                return;
            }
        };
        let (store, task, name) = (Arc::clone(&self.logs), task.id, name.clone());
        let keeping = tokio::task::spawn_blocking(move || {
            if let Err(error) = store.keep(task, &name, &log) {
                tracing::warn!(%error, task.id = %task, "the log of `{name}` cannot be kept");
            }
        });
        keeping.await.ok();
    }

    async fn remove(&self, id: &ContainerId) -> Result<Done, DockerError> {
        // With its anonymous volumes; without force, so that a running container is never killed by a removal.
        let options = RemoveContainerOptions { v: true, ..RemoveContainerOptions::default() };
        match within(REMOVE, self.engine.docker.remove_container(id.as_str(), Some(options))).await
        {
            Err(error) if !is_missing(&error) => Err(error),
            Ok(()) | Err(_) => Ok(Done::Removed),
        }
    }
}
