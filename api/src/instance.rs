//! Instances (ECS: container instances), and the tokens that let agents and routers join.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::{
    ClusterName, Dimension, InstanceId, InstanceStatus, Lease, PeerRole, Subnet, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::default_cluster;
use crate::image::Platform;

/// An instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its id.
    pub instance_id: InstanceId,
    /// Its name: the host's unless it was given another.
    pub name: String,
    /// Its cluster.
    pub cluster_name: ClusterName,
    /// People's wish.
    pub status: InstanceStatus,
    /// Whether `berth down` has stopped what runs there, until the next `berth up`.
    pub suspended: bool,
    /// What its silence means.
    pub lease: Lease,
    /// Whether its agent is on the line.
    pub agent_connected: bool,
    /// What its Docker runs.
    pub platform: Platform,
    /// CPU units and MiB of MEMORY in all.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub registered_resources: BTreeMap<Dimension, u64>,
    /// What is not reserved.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub remaining_resources: BTreeMap<Dimension, u64>,
    /// Tasks that run.
    pub running_tasks_count: u32,
    /// Tasks that do not run yet.
    pub pending_tasks_count: u32,
    /// Where its published ports can be reached.
    #[schema(value_type = String)]
    pub advertised_address: IpAddr,
    /// The address that people allow its agent to advertise; null while they have said nothing.
    #[schema(value_type = Option<String>)]
    pub allowed_address: Option<IpAddr>,
    /// The subnet of its Berth network, once there is one.
    pub subnet: Option<Subnet>,
    /// The version of its agent.
    pub agent_version: String,
    /// The version of its Docker Engine.
    pub docker_version: String,
    /// Memory of its host that processes can still get, in MiB; null while that is not known.
    pub available_memory_mib: Option<u64>,
    /// The file system of its Docker; null while that is not known.
    pub disk: Option<Disk>,
    /// Why its agent divides what a task has over the containers, instead of bounding the task as a whole; null where it
    /// does not.
    pub divides_limits: Option<String>,
    /// When it joined.
    pub registered_at: Timestamp,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// Its size in MiB.
    pub total_mib: u64,
    /// What is free, in MiB.
    pub free_mib: u64,
    /// Whether it is about to be full.
    pub nearly_full: bool,
}

/// New settings of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateInstanceRequest {
    /// ACTIVE takes new tasks; DRAINING takes none, and its service tasks are replaced elsewhere. As it is unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<InstanceStatus>,
    /// An address that its agent may advertise although its connection to the server comes from another; the one that was
    /// allowed before is not any more. As it is unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub allowed_address: Option<IpAddr>,
}

/// Who may join, how often and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateJoinTokenRequest {
    /// Which role.
    pub role: PeerRole,
    /// The cluster that an instance joins; `default` unless it is given.
    #[serde(default = "default_cluster")]
    pub cluster_name: ClusterName,
    /// 3600 by default, a week at most.
    #[serde(default = "hour")]
    #[schema(minimum = 1, maximum = 604_800, default = 3600)]
    pub expires_in_seconds: u32,
    /// 1 by default, 1000 at most.
    #[serde(default = "once")]
    #[schema(minimum = 1, maximum = 1000, default = 1)]
    pub uses: u32,
}

fn hour() -> u32 {
    3600
}

fn once() -> u32 {
    1
}

/// A join token, shown once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinToken {
    /// The token.
    pub token: String,
    /// Which role may join with it.
    pub role: PeerRole,
    /// How often.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Timestamp,
    /// `host:port` that it dials.
    pub link_address: String,
    /// The line to paste on the new host.
    pub command: String,
}
