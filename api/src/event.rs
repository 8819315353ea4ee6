//! What happened to instances, and in clusters; what happened to services is with services.

use model::{EventKind, InstanceEventKind, ServiceName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstanceEvent {
    /// When.
    pub created_at: Timestamp,
    /// What, for people.
    pub message: String,
    /// What, for programs.
    pub event: InstanceEventKind,
}

/// Something that happened to a service or an instance of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterEvent {
    /// When.
    pub created_at: Timestamp,
    /// The service, where it happened to one.
    pub service_name: Option<ServiceName>,
    /// The instance, where it happened to one.
    pub instance_name: Option<String>,
    /// What, for people.
    pub message: String,
    /// What, for programs, where it happened to a service.
    pub service_event: Option<EventKind>,
    /// What, for programs, where it happened to an instance.
    pub instance_event: Option<InstanceEventKind>,
}
