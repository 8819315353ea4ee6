//! Docker's API, through bollard: thin calls without decisions. Every call has a deadline, so that a container or an engine
//! that hangs is an error like any other. Only objects with this instance's labels are ever changed.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, ContainerSummary};
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptions};
use model::{ContainerId, ContainerName, Platform, TaskId, Timestamp, chain};
use serde::Deserialize as _;
use serde::de::IntoDeserializer as _;

use crate::Error;
use crate::error::DockerError;
use crate::exit::{self, Exit};
use crate::owner::Owner;
use crate::task_state::{Observed, ObservedState};

mod events;
mod executor;
mod image;
mod log;
mod measure;
mod network;

pub(crate) use events::Event;
pub(crate) use executor::Executor;
pub(crate) use image::pull_limit;
pub(crate) use log::Lines;
pub(crate) use measure::Measured;
#[cfg(test)]
pub(crate) use network::NetworkInfo;
pub(crate) use network::Networks;

/// Docker's default socket.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// Docker writes it when it starts.
const PID_FILE: &str = "/run/docker.pid";
/// bollard's own deadline in place of its default of 2 minutes: longer than any deadline set here, among them that of a
/// restart, which lasts as long as a container's stop timeout.
const NO_DEADLINE: Duration = Duration::from_hours(2);
const ASK: Duration = Duration::from_secs(10);
const LIST: Duration = Duration::from_secs(20);

/// The engine of this host.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    docker: bollard::Docker,
    host: String,
}

/// The engine's version and platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EngineInfo {
    /// Its version.
    pub(crate) version: String,
    /// The platform of the containers that it runs.
    pub(crate) platform: Platform,
}

/// How the engine is set up on this host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct EngineSetup {
    /// `cgroupfs` or `systemd`.
    pub(crate) cgroup_driver: String,
    /// `1` or `2`.
    pub(crate) cgroup_version: String,
    /// Where its images and containers lie.
    pub(crate) root_dir: Option<String>,
    /// How it stores them.
    pub(crate) storage_driver: String,
}

/// The result of an inspection by a container's id or name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Inspection {
    /// It is the task's container.
    Found(Observed),
    /// There is no container.
    Missing,
    /// It is a container without this instance's labels.
    Foreign,
}

/// An entry of the list of the instance's containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its task.
    pub(crate) task: TaskId,
    /// Its name in the task.
    pub(crate) container: ContainerName,
    /// Docker's id.
    pub(crate) id: ContainerId,
    /// Whether it has a process: running, paused, restarting or stopping.
    pub(crate) is_running: bool,
}

impl Engine {
    /// Connects to the engine and negotiates the API version.
    pub(crate) async fn connect(host: Option<&str>) -> Result<(Self, EngineInfo), Error> {
        let host = host.unwrap_or(SOCKET);
        let path = match host.split_once("://") {
            Some(("unix", path)) => path,
            None => host,
            Some(_) => return Err(Error::DockerHost { host: host.to_owned() }),
        };
        let failed = |source| Error::Docker { host: host.to_owned(), source };
        let limit = NO_DEADLINE.as_secs();
        let docker = bollard::Docker::connect_with_unix(path, limit, bollard::API_DEFAULT_VERSION)
            .map_err(|error| failed(error.into()))?;
        let docker =
            within(ASK, docker.negotiate_version()).await.map_err(|error| failed(error.into()))?;
        let engine = Self { docker, host: host.to_owned() };
        let info = engine.info().await.map_err(|error| engine.unanswered(error))?;
        Ok((engine, info))
    }

    /// The error of an agent that cannot start without Docker.
    pub(crate) fn unanswered(&self, error: DockerError) -> Error {
        Error::Docker { host: self.host.clone(), source: error.into() }
    }

    /// Reads the engine's version and platform.
    pub(crate) async fn info(&self) -> Result<EngineInfo, DockerError> {
        let said = within(ASK, self.docker.version()).await?;
        let word = |text: Option<String>, usual: &str| text.unwrap_or_else(|| usual.to_owned());
        Ok(EngineInfo {
            version: said.version.unwrap_or_default(),
            platform: Platform::new(word(said.os, "linux"), word(said.arch, "amd64")),
        })
    }

    /// Reads how the engine is set up.
    pub(crate) async fn setup(&self) -> Result<EngineSetup, DockerError> {
        let said = within(ASK, self.docker.info()).await?;
        Ok(EngineSetup {
            cgroup_driver: said.cgroup_driver.map(|one| one.to_string()).unwrap_or_default(),
            cgroup_version: said.cgroup_version.map(|one| one.to_string()).unwrap_or_default(),
            root_dir: said.docker_root_dir,
            storage_driver: said.driver.unwrap_or_default(),
        })
    }

    /// When the daemon was started, by its PID file; None where it has none here.
    fn started_at(&self) -> Option<Timestamp> {
        let modified = std::fs::metadata(PID_FILE).and_then(|file| file.modified()).ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        (self.host == SOCKET).then(|| Timestamp::EPOCH.plus(since))
    }

    /// All containers of the instance.
    pub(crate) async fn list(&self, owner: &Owner) -> Result<Vec<Listed>, DockerError> {
        let options = ListContainersOptions {
            all: true,
            filters: Some(owner.filters()),
            ..ListContainersOptions::default()
        };
        let listed = within(LIST, self.docker.list_containers(Some(options))).await?;
        Ok(listed.into_iter().filter_map(|summary| claim(owner, summary)).collect())
    }

    /// Inspects a container by its id, or by the name that follows from its task while the id is unknown.
    pub(crate) async fn inspect(
        &self,
        owner: &Owner,
        task: TaskId,
        container: &ContainerName,
        id: Option<&ContainerId>,
    ) -> Result<Inspection, DockerError> {
        let name = owner.container(task, container);
        let wanted = id.map_or(name.as_str(), ContainerId::as_str);
        let options = None::<InspectContainerOptions>;
        match within(ASK, self.docker.inspect_container(wanted, options)).await {
            Ok(found) => Ok(inspection(owner, task, container, found, self.started_at())),
            Err(error) if is_missing(&error) => Ok(Inspection::Missing),
            Err(error) => Err(error),
        }
    }
}

/// Labels alone do not prove that Berth made a container, since it inherits those of its image: the name must match too.
fn claim(owner: &Owner, summary: ContainerSummary) -> Option<Listed> {
    let (task, container) = owner.claims(&summary.labels?)?;
    let name = owner.container(task, &container);
    let names = summary.names.unwrap_or_default();
    if !names.iter().any(|known| known.trim_start_matches('/') == name) {
        return None;
    }
    let is_running = summary.state.is_some_and(|state| {
        // The list uses the same words as `State.Status` of an inspection.
        matches!(state.to_string().as_str(), "running" | "paused" | "restarting" | "stopping")
    });
    Some(Listed { task, container, id: summary.id?.into(), is_running })
}

fn inspection(
    owner: &Owner,
    task: TaskId,
    container: &ContainerName,
    found: ContainerInspectResponse,
    docker_started_at: Option<Timestamp>,
) -> Inspection {
    let (labels, stop_signal) =
        found.config.map(|config| (config.labels, config.stop_signal)).unwrap_or_default();
    let claimed = labels.and_then(|labels| owner.claims(&labels));
    if claimed != Some((task, container.clone())) {
        return Inspection::Foreign;
    }
    let (Some(id), Some(state)) = (found.id, found.state) else { return Inspection::Missing };
    let started = state.started_at.as_deref().and_then(timestamp);
    let state = match state.status {
        Some(
            ContainerStateStatusEnum::RUNNING
            | ContainerStateStatusEnum::PAUSED
            | ContainerStateStatusEnum::RESTARTING
            | ContainerStateStatusEnum::STOPPING,
        ) => ObservedState::Running,
        Some(ContainerStateStatusEnum::CREATED) => ObservedState::Created,
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::EMPTY,
        )
        | None => {
            let at = state.finished_at.as_deref().and_then(timestamp).unwrap_or_default();
            let by_docker = started
                .zip(docker_started_at)
                .is_some_and(|(started, docker)| exit::is_by_docker(started, at, docker));
            ObservedState::Exited(Exit {
                by_docker,
                code: state.exit_code.unwrap_or_default(),
                out_of_memory: state.oom_killed.unwrap_or_default(),
                at,
                ran: started.map(|started| at.since(started)).unwrap_or_default(),
                log_tail: None,
            })
        }
    };
    Inspection::Found(Observed {
        id: id.into(),
        state,
        stop_signal: stop_signal.filter(|signal| !signal.is_empty()),
    })
}

/// A time in Docker's RFC 3339 form; None for year 1, Go's zero time, which stands for never.
fn timestamp(text: &str) -> Option<Timestamp> {
    let text: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
        text.into_deserializer();
    Timestamp::deserialize(text).ok().filter(|at| *at > Timestamp::EPOCH)
}

/// Awaits a call for at most `limit`.
async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, BollardError>>,
) -> Result<T, DockerError> {
    match tokio::time::timeout(limit, call).await {
        Ok(said) => said.map_err(docker_error),
        Err(_) => Err(DockerError::Timeout(limit)),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "all other errors mean that no answer was read")]
fn docker_error(error: BollardError) -> DockerError {
    match error {
        BollardError::DockerResponseServerError { status_code, message } => {
            DockerError::Refused { status: status_code, message }
        }
        BollardError::DockerStreamError { error } => {
            DockerError::Refused { status: 0, message: error }
        }
        other => DockerError::Unreachable(chain(&other)),
    }
}

fn is_missing(error: &DockerError) -> bool {
    matches!(error, DockerError::Refused { status: 404, .. })
}

/// Adds a key to filters of Docker's API.
fn filters(
    mut filters: HashMap<String, Vec<String>>,
    key: &str,
    values: &[&str],
) -> HashMap<String, Vec<String>> {
    filters.insert(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect());
    filters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_docker_is_read_to_the_millisecond_and_never_is_none() {
        let at = timestamp("2026-11-24T11:46:09.578878312Z").unwrap();
        assert_eq!(at.to_string(), "2026-11-24T11:46:09.578Z");
        assert_eq!(timestamp("0001-01-01T00:00:00Z"), None);
        assert_eq!(timestamp("soon"), None);
    }
}
