//! What is known of a request while it is served.

use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use model::TaskId;
use tokio::time::Sleep;

use super::retry::Cuts;
use crate::group::{Group, NoTarget};
use crate::target::InFlight;

/// What is known of a request while it is served.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Its id.
    pub(super) id: String,
    /// Its method.
    pub(super) method: Method,
    /// Whether its client would rather read HTML.
    pub(super) html: bool,
    /// Whether it wants to become a tunnel.
    pub(super) is_tunnel: bool,
    /// Path and query as they are forwarded.
    pub(super) forwarded: String,
    /// Where its rule sends it.
    pub(super) group: Option<Arc<Group>>,
    /// Where it is.
    pub(super) target: Option<InFlight>,
    /// Where it was before.
    pub(super) tried: Vec<TaskId>,
    /// How often it was cut.
    pub(super) cuts: Cuts,
    /// Ends when it has waited long enough, all waits together.
    pub(super) patience: Option<Pin<Box<Sleep>>>,
    /// Why it has no target.
    pub(super) no_target: Option<NoTarget>,
}
