//! Routers.

use model::{Lease, RouterId, StateRevision, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Router {
    /// Its id.
    pub router_id: RouterId,
    /// Its name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// What its silence means.
    pub lease: Lease,
    /// Whether it is on the line.
    pub connected: bool,
    /// The revision of the table that it serves from and has on disk.
    pub applied_revision: Option<StateRevision>,
    /// When it joined.
    pub registered_at: Timestamp,
}
