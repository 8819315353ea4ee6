//! What happens to an instance.

use serde::{Deserialize, Serialize};

use crate::cluster::InstanceStatus;
use crate::id::{InstanceId, TaskId};
use crate::name::{ClusterName, ServiceName};
use crate::time::Timestamp;

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceEvent {
    /// The instance.
    pub instance: InstanceId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub name: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: InstanceEventKind,
}

/// What can happen to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum InstanceEventKind {
    /// It joined its cluster.
    Joined,
    /// Its host was started again.
    Rebooted,
    /// People wish something else of it.
    StatusChanged {
        /// From now on.
        status: InstanceStatus,
    },
    /// `berth down` stops what runs there.
    Suspended,
    /// `berth up` has ended that.
    Resumed,
    /// The file system of its Docker is nearly full.
    DiskNearlyFull {
        /// What is free, in MiB.
        free_mib: u64,
    },
    /// It has room again.
    DiskHasRoom {
        /// What is free, in MiB.
        free_mib: u64,
    },
    /// A task of it was given up, since the instance has not been heard of for too long or was removed.
    TaskLost {
        /// The task.
        task: TaskId,
        /// The service that it was of.
        service_name: Option<ServiceName>,
    },
    /// It was removed.
    Removed,
}
