//! Changes of the secrets that let people and peers in.

use serde::{Deserialize, Serialize};

use crate::access::{Credential, CredentialUse, JoinToken};
use crate::id::{CredentialId, JoinTokenId};
use crate::time::Timestamp;

/// What may happen to credentials and join tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessChange {
    /// A secret that proves somebody.
    CreateCredential(Credential),
    /// The end of one.
    RevokeCredential(CredentialId),
    /// A use of one, and when it ends from then on.
    UseCredential {
        /// Which.
        id: CredentialId,
        /// The use.
        last_use: CredentialUse,
        /// When it ends, where it does.
        expires_at: Option<Timestamp>,
    },
    /// A token to join with.
    CreateJoinToken(JoinToken),
    /// One use of it. Refused when it has ended or is used up.
    UseJoinToken(JoinTokenId),
}
