//! What is known of a request while it is served.

use std::pin::Pin;
use std::sync::Arc;

use http::Method;
use model::TaskId;
use tokio::time::Sleep;

use super::retry::Retries;
use crate::group::{Group, NoTarget};
use crate::target::InFlight;

/// What is known of a request while it is served.
#[derive(Debug, Default)]
pub(crate) struct Context {
    /// Its id.
    pub(super) id: String,
    /// Its method.
    pub(super) method: Method,
    /// Whether its client accepts HTML.
    pub(super) html: bool,
    /// Whether it asks for an upgrade to WebSocket.
    pub(super) is_tunnel: bool,
    /// Path and query as they are forwarded.
    pub(super) forwarded: String,
    /// The group that its rule forwards to.
    pub(super) group: Option<Arc<Group>>,
    /// The target of the attempt in progress.
    pub(super) target: Option<InFlight>,
    /// Targets of attempts that failed.
    pub(super) tried: Vec<TaskId>,
    /// How often it was retried after a reset.
    pub(super) retries: Retries,
    /// Bounds how long it may be held, all attempts together.
    pub(super) hold_timeout: Option<Pin<Box<Sleep>>>,
    /// Why there was no target for it.
    pub(super) no_target: Option<NoTarget>,
}
