//! Changes of tasks.

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, TaskId};
use crate::stop::Stopped;
use crate::task::{NewTask, Placement, TaskContainer, TaskStatus};

/// What may happen to a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskChange {
    /// A new one: placed, or PROVISIONING for the scheduler to place.
    Create(NewTask),
    /// Gives a PROVISIONING task its place. Refused when it does not fit.
    Place {
        /// The task.
        task: TaskId,
        /// Its place.
        placement: Placement,
    },
    /// It should be stopped: RUNNING becomes DEACTIVATING, anything earlier STOPPING, a task without a place STOPPED.
    Stop {
        /// The task.
        task: TaskId,
        /// Why.
        stopped: Stopped,
    },
    /// It should be stopped because it fails its health checks: as `Stop`, and where it was never healthy it counts as
    /// failed in its deployment.
    Fail {
        /// The task.
        task: TaskId,
        /// Which check failed how.
        stopped: Stopped,
    },
    /// Routers are done with it: DEACTIVATING becomes STOPPING.
    Drained(TaskId),
    /// What its agent sees. Reports that bring nothing new, or are older than what is known, touch nothing.
    Report(TaskReport),
    /// It was healthy for the first time.
    Healthy(TaskId),
    /// Its instance is given up: it counts as stopped, whatever becomes of its containers.
    Lose(TaskId),
    /// Its agent has removed its containers.
    Reaped {
        /// The instance that says so.
        instance: InstanceId,
        /// The task.
        task: TaskId,
    },
    /// Nothing decides on it any more: it goes to history. Refused before it has stopped.
    Forget(TaskId),
}

/// What an agent sees of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// The instance that reports; must be the task's own.
    pub instance: InstanceId,
    /// The task.
    pub task: TaskId,
    /// ACTIVATING, RUNNING, STOPPING or STOPPED; others are refused.
    pub status: TaskStatus,
    /// Why it stopped, where the agent knows: not needed when it was told to stop.
    pub stopped: Option<Stopped>,
    /// Its containers; those that are not named stay as they are known.
    pub containers: Vec<TaskContainer>,
}
