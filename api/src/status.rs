//! How everything is.

use model::{Epoch, InstallationId, StateRevision};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::instance::Instance;
use crate::router::Router;
use crate::service::Service;

/// How everything is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version of the server.
    pub version: String,
    /// The installation's id, in the labels of all its containers.
    pub installation: Option<InstallationId>,
    /// Which life of the control plane answers.
    pub epoch: Epoch,
    /// Which state it answers from.
    pub revision: StateRevision,
    /// Whether registry and router accept and the local instance is ready.
    pub ready: bool,
    /// `host:port` of the registry, as people write it in image names.
    pub registry_address: String,
    /// Null until a router has said where it listens.
    pub router_url: Option<String>,
    /// `host:port` that agents and routers dial.
    pub link_address: String,
    /// The disk of the registry; null until it was measured.
    #[serde(default)]
    pub registry_disk: Option<RegistryDisk>,
    /// All instances.
    pub instances: Vec<Instance>,
    /// All routers.
    pub routers: Vec<Router>,
    /// All services, without their events.
    pub services: Vec<Service>,
}

/// The file system of the registry's images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistryDisk {
    /// Its size in MiB.
    pub total_mib: u64,
    /// What is free, in MiB.
    pub free_mib: u64,
    /// What pushes leave free, in MiB.
    pub low_water_mib: u64,
    /// Whether less than that is free, so that pushes are refused with 507.
    pub is_low: bool,
}
