//! What happened, kept for days beside [`State`](crate::State) and never loaded at start: nothing decides on it.

use serde::{Deserialize, Serialize};

use crate::id::{ServiceId, TaskId};
use crate::name::{ClusterName, ServiceName};
use crate::service::Deployment;
use crate::task::Task;
use crate::time::Timestamp;

/// One thing that happened. Written in the batch that made it happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum History {
    /// A sentence about a service (ECS service event).
    Event(ServiceEvent),
    /// A task that has stopped and left State.
    Task {
        /// The task as it ended.
        task: Box<Task>,
        /// The name of its service, which may be gone by now.
        service_name: Option<ServiceName>,
    },
    /// A deployment that ended.
    Deployment(Deployment),
}

/// A sentence about a service, as `(service hello) deployment 0193... completed`.
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
    /// What, for people.
    pub message: String,
}

impl History {
    /// Its row's value.
    pub fn row(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("history has string keys only")
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(event) => event.at,
            Self::Task { task, service_name: _ } => task.stopped_at.unwrap_or(task.created_at),
            Self::Deployment(deployment) => deployment.updated_at,
        }
    }

    /// The service that it is about.
    pub fn service(&self) -> Option<ServiceId> {
        match self {
            Self::Event(event) => Some(event.service),
            Self::Task { task, service_name: _ } => task.service,
            Self::Deployment(deployment) => Some(deployment.service),
        }
    }

    /// The task that it is about.
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Task { task, service_name: _ } => Some(task.id),
            Self::Event(_) | Self::Deployment(_) => None,
        }
    }
}
