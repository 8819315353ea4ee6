//! Why the server refuses a peer, as a closed set. Peers and their supervisors decide on it, and never on the sentence that
//! travels beside it.

use serde::{Deserialize, Serialize};

/// Why the server refuses a join, a renewal, a stream or another request of a peer.
///
/// A server of the version before sends none, and one of a later version may send one that is not listed here: both read
/// as [`RefusalCode::Unspecified`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum RefusalCode {
    /// No join token has this id and this secret.
    TokenUnknown,
    /// The join token has been used as often as it may be.
    TokenUsedUp,
    /// The join token has expired.
    TokenExpired,
    /// The join token is for the other role.
    TokenForOtherRole,
    /// An agent that joins must report its host.
    HostMissing,
    /// The certificate signing request cannot be read, or its key did not sign it.
    SigningRequestInvalid,
    /// The request needs a peer's certificate and came without one.
    CertificateMissing,
    /// The certificate is not one of this server, or the request is not signed by its key.
    CertificateForeign,
    /// The instance or router was removed: its identity is worth nothing any more.
    PeerRemoved,
    /// The request is for the other role.
    WrongRole,
    /// The peer supports only protocols that are too old for the server.
    ProtocolTooOld,
    /// The peer supports only protocols that are too new for the server.
    ProtocolTooNew,
    /// A stream must begin with a greeting.
    GreetingMissing,
    /// A frame cannot be read.
    FrameInvalid,
    /// The agent advertises an address that its connection does not come from and that nobody has allowed it.
    AddressNotAllowed,
    /// The peer has opened another connection.
    Replaced,
    /// No request of the server waits for this stream of bytes.
    StreamUnknown,
    /// State does not take what the peer wants to record.
    StateRefused,
    /// The server stops; its successor will answer.
    ServerStopping,
    /// The server cannot write now; it may be able to later.
    Unavailable,
    /// The server failed.
    ServerFault,
    /// The server gave no reason that this version knows.
    #[default]
    #[serde(other)]
    Unspecified,
}

impl RefusalCode {
    /// Whether the join token is of no use any more: another one may be accepted.
    pub const fn needs_new_token(self) -> bool {
        matches!(
            self,
            Self::TokenUnknown | Self::TokenUsedUp | Self::TokenExpired | Self::TokenForOtherRole
        )
    }
}

/// A refusal on the wire: the body of an HTTP response, and the last frame of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// What code decides on.
    #[serde(default)]
    pub(crate) code: RefusalCode,
    /// A sentence for people.
    pub(crate) reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_without_a_code_or_with_a_later_one_is_still_read() {
        for text in [r#"{"reason":"no"}"#, r#"{"code":"MoonTooFull","reason":"no"}"#] {
            let refused: Refused = serde_json::from_str(text).unwrap();
            let expected = Refused { code: RefusalCode::Unspecified, reason: "no".to_owned() };
            assert_eq!(refused, expected, "{text}");
        }
        let refused = Refused { code: RefusalCode::PeerRemoved, reason: "no".to_owned() };
        let text = serde_json::to_string(&refused).unwrap();
        assert_eq!(text, r#"{"code":"PeerRemoved","reason":"no"}"#);
    }

    #[test]
    fn only_refusals_of_the_token_ask_for_another_one() {
        assert!(RefusalCode::TokenUsedUp.needs_new_token());
        assert!(!RefusalCode::Unavailable.needs_new_token());
        assert!(!RefusalCode::Unspecified.needs_new_token());
    }
}
