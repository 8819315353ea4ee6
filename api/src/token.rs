//! Tokens: what proves people and their programs.

use std::net::IpAddr;

use model::{CredentialId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A token. Its secret is kept by its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// Its id.
    pub token_id: CredentialId,
    /// What it is for.
    pub kind: TokenKind,
    /// Whom it proves.
    pub principal: String,
    /// The program that used it last, as it says of itself. Uses are recorded for registry logins only, once an hour.
    pub client: Option<String>,
    /// Where from.
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// When.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, where it does. A registry login ends 90 days after its last use.
    pub expires_at: Option<Timestamp>,
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum TokenKind {
    /// Bearer token of the API, and password of `docker login`.
    Api,
    /// What `docker login` stores on one machine: good for the registry alone.
    RegistryLogin,
}
