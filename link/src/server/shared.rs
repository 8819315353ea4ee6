//! What all connections of the server share.

use std::sync::Arc;
use std::time::Duration;

use listener::Seldom;
use model::{Clock, Epoch, Observed, State};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::sessions::Sessions;
use super::streams::Streams;
use super::submit::Submit;
use super::subnet::SubnetAllocator;
use crate::authority::Authority;
use crate::certificate::PeerId;

/// What every connection needs.
pub(super) struct Shared {
    pub(super) authority: Authority,
    pub(super) epoch: Epoch,
    pub(super) state: watch::Receiver<State>,
    pub(super) observed: watch::Sender<Observed>,
    pub(super) submit: Submit,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) streams: Streams,
    pub(super) beat: Duration,
    pub(super) shutdown: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) sessions: Sessions,
    pub(super) subnets: SubnetAllocator,
    /// What strangers can have logged.
    pub(super) seldom: Seldom,
    /// Keeps a peer that comes and goes from filling the log.
    pub(super) seldom_of_peers: Seldom<PeerId>,
}
