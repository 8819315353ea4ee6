//! Why a peer's stream ends.

use super::address::AddressNotAllowed;
use super::enrol::EnrolError;
use crate::refusal::RefusalCode;
use crate::sentence::{self, Plain, plain};

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseReason {
    #[error("{}", plain(Plain::PeerGone))]
    Gone,
    #[error("{}", plain(Plain::StreamBroke))]
    Broken(#[source] axum::Error),
    #[error("{}", plain(Plain::PeerSilent))]
    Silent,
    #[error("{}", plain(Plain::PeerFrameUnreadable))]
    Frame(#[source] serde_json::Error),
    #[error("{}", plain(Plain::PeerFrameTooLong))]
    FrameTooLong(#[source] axum::Error),
    #[error("{}", plain(Plain::ViewUnwritable))]
    View(#[source] serde_json::Error),
    #[error("{}", plain(Plain::PeerReplaced))]
    Replaced,
    #[error("{}", plain(Plain::ServerStops))]
    Stopped,
    #[error("{}", plain(Plain::GreetingMissing))]
    GreetingMissing,
    #[error("{}", sentence::protocol_too_old(*newest))]
    ProtocolTooOld { newest: u32 },
    #[error("{}", sentence::protocol_too_new(*oldest))]
    ProtocolTooNew { oldest: u32 },
    #[error(transparent)]
    Address(#[from] AddressNotAllowed),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

impl CloseReason {
    /// What the peer decides on; None where it is not told.
    pub(super) fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Gone | Self::Broken(_) | Self::Silent => None,
            Self::Frame(_) | Self::FrameTooLong(_) => Some(RefusalCode::FrameInvalid),
            Self::View(_) => Some(RefusalCode::ServerFault),
            Self::Replaced => Some(RefusalCode::Replaced),
            Self::Stopped => Some(RefusalCode::ServerStopping),
            Self::GreetingMissing => Some(RefusalCode::GreetingMissing),
            Self::ProtocolTooOld { .. } => Some(RefusalCode::ProtocolTooOld),
            Self::ProtocolTooNew { .. } => Some(RefusalCode::ProtocolTooNew),
            Self::Address(_) => Some(RefusalCode::AddressNotAllowed),
            Self::Enrol(error) => Some(error.code()),
        }
    }
}
