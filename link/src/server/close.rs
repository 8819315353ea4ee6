//! Why a peer's stream ends.

use super::enrol::EnrolError;
use crate::message::{OLDEST, VERSION};
use crate::refusal::RefusalCode;

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum CloseReason {
    #[error("the peer is gone")]
    Gone,
    #[error("the stream broke")]
    Broken(#[source] axum::Error),
    #[error("the peer was silent for too long")]
    Silent,
    #[error("the peer sent a frame that cannot be read")]
    Frame(#[source] serde_json::Error),
    #[error("a view cannot be written")]
    View(#[source] serde_json::Error),
    #[error("the peer has opened another connection")]
    Replaced,
    #[error("the server stops")]
    Stopped,
    #[error("a stream begins with a greeting")]
    GreetingMissing,
    #[error(
        "the server speaks protocol {OLDEST} to {VERSION} and this peer {newest} at most: upgrade the peer"
    )]
    ProtocolTooOld { newest: u32 },
    #[error(
        "the server speaks protocol {OLDEST} to {VERSION} and this peer {oldest} at least: upgrade the server"
    )]
    ProtocolTooNew { oldest: u32 },
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

impl CloseReason {
    /// What the peer decides on; None where it is not told.
    pub(super) fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Gone | Self::Broken(_) | Self::Silent => None,
            Self::Frame(_) => Some(RefusalCode::FrameInvalid),
            Self::View(_) => Some(RefusalCode::ServerFault),
            Self::Replaced => Some(RefusalCode::Replaced),
            Self::Stopped => Some(RefusalCode::ServerStopping),
            Self::GreetingMissing => Some(RefusalCode::GreetingMissing),
            Self::ProtocolTooOld { .. } => Some(RefusalCode::ProtocolTooOld),
            Self::ProtocolTooNew { .. } => Some(RefusalCode::ProtocolTooNew),
            Self::Enrol(error) => Some(error.code()),
        }
    }
}
