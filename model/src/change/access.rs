//! Changes of the secrets that let people and peers in.

use serde::{Deserialize, Serialize};

use crate::access::{Credential, JoinToken};
use crate::id::{CredentialId, JoinTokenId};

/// What may happen to credentials and join tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessChange {
    /// A secret that proves somebody.
    CreateCredential(Credential),
    /// The end of one.
    RevokeCredential(CredentialId),
    /// A token to join with.
    CreateJoinToken(JoinToken),
    /// One use of it. Refused when it has ended or is used up.
    UseJoinToken(JoinTokenId),
}
