//! What is polled, and when next.

use std::time::Duration;

use model::{Backoff, Subnet, Timestamp};

/// How often unused images are looked for.
pub(super) const IMAGE_GC_INTERVAL: Duration = Duration::from_mins(10);
/// How often the host and its containers are measured.
pub(super) const MEASURE_INTERVAL: Duration = Duration::from_secs(10);
/// The pause after a poll that failed.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(2);
/// How long creating the network waits after it failed.
pub(super) const NETWORK_RETRY: Backoff = Backoff::new(RETRY_DELAY, Duration::from_secs(15));

/// When something is polled next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Poll {
    /// At this time.
    Due(Timestamp),
    /// A poll is in flight.
    InFlight,
    /// A poll is in flight that began before the last request, so that another one must follow.
    InFlightAndDue,
    /// With the next resync.
    Idle,
}

/// The instance's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NetworkState {
    /// The subnet that it has, once it is there.
    pub(super) ready: Option<Subnet>,
    /// When it is created or checked next.
    pub(super) poll: Poll,
    /// Why it is not ready.
    pub(super) error: Option<String>,
    pub(super) backoff: Backoff,
}

impl Poll {
    pub(super) fn is_due(self, now: Timestamp) -> bool {
        matches!(self, Self::Due(at) if at <= now)
    }

    /// Requests a poll from now on; one in flight may have missed the reason for it.
    pub(super) fn request(&mut self, now: Timestamp) {
        *self = match *self {
            Self::InFlight | Self::InFlightAndDue => Self::InFlightAndDue,
            Self::Due(_) | Self::Idle => Self::Due(now),
        };
    }

    /// The poll in flight has ended.
    pub(super) fn answered(&mut self, now: Timestamp) {
        *self = if *self == Self::InFlightAndDue { Self::Due(now) } else { Self::Idle };
    }
}

impl NetworkState {
    /// Not checked yet.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { ready: None, poll: Poll::Due(now), error: None, backoff: NETWORK_RETRY }
    }
}
