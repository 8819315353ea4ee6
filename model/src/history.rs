//! What happened, kept for days beside [`State`](crate::State) and never loaded at start: nothing decides on it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::access::Principal;
use crate::definition::Revision;
use crate::digest::Digest;
use crate::id::{DeploymentId, InstanceId, ServiceId, TaskId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::placement::PlacementFailure;
use crate::row::{self, RowError, Schema, json};
use crate::service::{Deployment, DeploymentFailure, RolloutState, ServiceRevision};
use crate::stop::Stopped;
use crate::task::Task;
use crate::time::Timestamp;

mod instance;

pub use instance::{InstanceEvent, InstanceEventKind};

/// The schemas of its rows, oldest first.
const SCHEMAS: &[Schema<History>] = &[(0, json), (1, json)];

/// One thing that happened. Written in the batch that made it happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum History {
    /// Something that happened to a service (ECS service event).
    Event(ServiceEvent),
    /// Something that happened to an instance.
    InstanceEvent(InstanceEvent),
    /// A task that has stopped and left State.
    Task {
        /// The task as it ended.
        task: Box<Task>,
        /// The name of its service, which may be gone by now.
        service_name: Option<ServiceName>,
    },
    /// A deployment that ended.
    Deployment(EndedDeployment),
    /// Something that somebody asked for.
    Audit(AuditEvent),
}

/// A deployment as it ended, with what it rolled out: both may be gone from State.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndedDeployment {
    /// Its id.
    pub id: DeploymentId,
    /// The service.
    pub service: ServiceId,
    /// The number of its revision. None where an older version wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// What its tasks ran.
    pub task_definition: Revision,
    /// The digest of each container's image.
    pub images: BTreeMap<ContainerName, PinnedImage>,
    /// How it ended.
    pub rollout_state: RolloutState,
    /// Why, for people.
    pub rollout_state_reason: String,
    /// Why it was given up or stopped, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<DeploymentFailure>,
    /// The deployment that it went back from.
    pub rollback_of: Option<DeploymentId>,
    /// Tasks that failed in a row at its end.
    pub failed_tasks: u32,
    /// When the last of them did.
    pub last_failure_at: Option<Timestamp>,
    /// When it started.
    pub created_at: Timestamp,
    /// When it ended.
    pub updated_at: Timestamp,
}

impl EndedDeployment {
    /// What is remembered of one.
    pub fn of(deployment: &Deployment, revision: &ServiceRevision) -> Self {
        Self {
            id: deployment.id,
            service: deployment.service,
            revision: Some(revision.number),
            task_definition: revision.task_definition.clone(),
            images: revision.images.clone(),
            rollout_state: deployment.rollout_state,
            rollout_state_reason: deployment.rollout_state_reason.clone(),
            failure: deployment.failure.clone(),
            rollback_of: deployment.rollback_of(),
            failed_tasks: deployment.failed_tasks,
            last_failure_at: deployment.last_failure_at,
            created_at: deployment.created_at,
            updated_at: deployment.updated_at,
        }
    }
}

/// Who asked for what: written in the batch that did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub principal: Principal,
    /// What was asked for, as in `UpdateService`.
    pub operation: String,
    /// The action that it takes, as in `service:Update`.
    pub action: String,
    /// What it was about, as in `service/default/hello`.
    pub resource: String,
    /// The address that the request came from, where it is known.
    #[serde(default)]
    pub source: Option<IpAddr>,
    /// The request's id, which its answer carried too.
    pub request_id: String,
    /// What became of it.
    pub outcome: AuditOutcome,
}

/// What became of something that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuditOutcome {
    /// It was done.
    Succeeded,
    /// Who asked may not do it; nothing was done.
    Denied,
}

/// Which history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryQuery {
    /// What it is about.
    pub about: About,
    /// How much at most.
    pub limit: usize,
    /// Only what is older than this row.
    pub after: Option<HistoryPlace>,
}

/// Where a row stands in history. It stays good when rows are added or pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryPlace {
    /// Milliseconds since the Unix epoch.
    pub at: u64,
    /// The order in which it was written.
    pub number: u64,
}

impl HistoryQuery {
    /// About one service.
    pub fn of_service(service: ServiceId, limit: usize) -> Self {
        Self { about: About::Service(service), limit, after: None }
    }

    /// About one task.
    pub fn of_task(task: TaskId) -> Self {
        Self { about: About::Task(task), limit: 1, after: None }
    }
}

/// What history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// All services, tasks and deployments.
    All,
    /// A service, its tasks and deployments.
    Service(ServiceId),
    /// A task.
    Task(TaskId),
    /// An instance.
    Instance(InstanceId),
    /// What people and their programs asked for.
    Audit,
}

/// Something that happened to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceEvent {
    /// The service.
    pub service: ServiceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub service_name: ServiceName,
    /// When.
    pub at: Timestamp,
    /// What, for people, with the service's name in front as ECS writes it. Nothing decides on it.
    pub message: String,
    /// What. None where an older version wrote it down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventKind>,
}

/// What can happen to a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// It was made.
    Created {
        /// How many tasks should run.
        desired_count: u32,
    },
    /// Another number of tasks should run.
    DesiredCountChanged {
        /// The number before.
        from: u32,
        /// The number from now on.
        to: u32,
    },
    /// It is being removed; its tasks are being stopped.
    Draining,
    /// It was removed.
    Removed,
    /// Tasks of it cannot be placed.
    PlacementFailed {
        /// Why.
        failure: PlacementFailure,
    },
    /// A deployment started.
    DeploymentStarted {
        /// The deployment.
        deployment: DeploymentId,
        /// The number of its revision. None where an older version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
        /// What it runs.
        task_definition: Revision,
        /// Which images it runs.
        images: BTreeSet<Digest>,
    },
    /// A deployment started that goes back from another one.
    RollbackStarted {
        /// The deployment.
        deployment: DeploymentId,
        /// The number of the revision that it goes back to. None where an older version wrote it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        revision: Option<u32>,
        /// What it goes back to.
        task_definition: Revision,
        /// The deployment that it goes back from.
        failed: DeploymentId,
    },
    /// A deployment has replaced what was before it, and is watched.
    DeploymentBaking {
        /// The deployment.
        deployment: DeploymentId,
        /// Until when, unless tasks of it fail.
        until: Timestamp,
    },
    /// A deployment is complete.
    DeploymentCompleted {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A deployment was given up.
    DeploymentFailed {
        /// The deployment.
        deployment: DeploymentId,
        /// Why.
        failure: DeploymentFailure,
    },
    /// A task stopped that should have run.
    TaskStopped {
        /// The task.
        task: TaskId,
        /// Why.
        stopped: Stopped,
        /// How many tasks of its deployment have by now stopped like this after they were healthy. Not each of many is
        /// told: equal ones follow ever more rarely.
        #[serde(default = "once", skip_serializing_if = "is_once")]
        times: u32,
    },
}

fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_once(times: &u32) -> bool {
    *times == 1
}

impl History {
    /// Its row's value.
    pub fn row(&self) -> Vec<u8> {
        row::encode(self, SCHEMAS)
    }

    /// What a row says, whichever schema it is in; `key` names it in the error.
    pub fn from_row(key: &str, value: &[u8]) -> Result<Self, RowError> {
        row::decode(key, value, SCHEMAS)
    }

    /// A row in the newest schema; None where it has that already.
    pub fn newest_form(key: &str, value: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
        if row::is_newest(value, SCHEMAS) {
            return Ok(None);
        }
        Self::from_row(key, value).map(|history| Some(history.row()))
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.at,
            Self::InstanceEvent(event) => event.at,
            Self::Task { task, service_name: _ } => task.stopped_at().unwrap_or(task.created_at),
            Self::Deployment(deployment) => deployment.updated_at,
            Self::Audit(event) => event.at,
        }
    }

    /// The service that it is about.
    pub fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Event(event) => Some(event.service),
            Self::Task { task, service_name: _ } => task.service,
            Self::Deployment(deployment) => Some(deployment.service),
            Self::Audit(_) | Self::InstanceEvent(_) => None,
        }
    }

    /// The instance that it is about.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::InstanceEvent(event) => Some(event.instance),
            Self::Event(_) | Self::Task { .. } | Self::Deployment(_) | Self::Audit(_) => None,
        }
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Task { task, service_name: _ } => Some(task.id),
            Self::Event(_) | Self::InstanceEvent(_) | Self::Deployment(_) | Self::Audit(_) => None,
        }
    }

    /// Whether it is something that somebody asked for.
    pub fn is_audit(&self) -> bool {
        matches!(self, Self::Audit(_))
    }
}
