//! Changes of clusters, and of the instances and routers that join them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, HostIdentity, Instance, InstanceStatus, Platform, Router, Subnet};
use crate::id::{InstanceId, RouterId};
use crate::observed::DiskSeen;
use crate::resources::Resources;

/// What may happen to a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClusterChange {
    /// A new one. Refused when the name is taken.
    Create(Cluster),
}

/// What may happen to an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InstanceChange {
    /// An agent joins or comes back: makes the instance, or updates what its host reports. Status, subnet and cursors of
    /// a known instance stay. Recording what is known touches nothing.
    Register(Instance),
    /// What a known agent's host reports now.
    Report(InstanceReport),
    /// Gives it its subnet. Refused while tasks of it hold addresses of another one.
    AssignSubnet {
        /// The instance.
        instance: InstanceId,
        /// Its subnet from now on.
        subnet: Subnet,
    },
    /// ACTIVE or DRAINING.
    SetStatus {
        /// The instance.
        instance: InstanceId,
        /// People's wish.
        status: InstanceStatus,
    },
    /// Its agent may advertise an address that its connection does not come from. Refused where no host can have it.
    AllowAddress {
        /// The instance.
        instance: InstanceId,
        /// The address; the one that was allowed before is not any more.
        address: IpAddr,
    },
    /// `berth down` stops what runs there, or `berth up` ends that.
    SetSuspended {
        /// The instance.
        instance: InstanceId,
        /// Whether it is suspended from now on.
        suspended: bool,
    },
    /// The file system of its Docker is nearly full, or is not any more.
    ReportDisk {
        /// The instance.
        instance: InstanceId,
        /// The file system.
        disk: DiskSeen,
    },
    /// It will not come back. Refused while a task of it has not stopped: each is lost first.
    Remove(InstanceId),
}

/// What may happen to a router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RouterChange {
    /// It joins, or comes back with another version.
    Register(Router),
    /// It will not come back; addresses no longer wait for it.
    Remove(RouterId),
}

/// What a known agent's host reports now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceReport {
    /// The instance.
    pub instance: InstanceId,
    /// What people call it.
    pub name: String,
    /// What it offers in total.
    pub capacity: Resources,
    /// What its Docker runs.
    pub platform: Platform,
    /// Which boot of which network namespace it is in.
    pub host: HostIdentity,
    /// Where its published ports can be reached.
    pub advertised_address: IpAddr,
    /// The version of its agent.
    pub agent_version: String,
    /// The version of its Docker Engine.
    pub docker_version: String,
    /// Why it divides limits of a task over the containers, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divides_limits: Option<String>,
}
