//! Who may ask: principals, and the secrets that prove them. Whether they may is decided in the `access` crate.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::id::{CredentialId, InstanceId, JoinTokenId, RouterId};
use crate::name::ClusterName;
use crate::time::Timestamp;

/// Somebody or something that asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Principal {
    /// A person, by user name.
    User(String),
    /// An instance's agent, proven by its certificate.
    Instance(InstanceId),
    /// A router, proven by its certificate.
    Router(RouterId),
    /// Nobody in particular.
    Anonymous,
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user/{name}"),
            Self::Instance(id) => write!(f, "instance/{id}"),
            Self::Router(id) => write!(f, "router/{id}"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

/// A secret that proves a principal. Only its SHA-256 is kept: the secret is random, so no slow hash is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// Its id.
    pub id: CredentialId,
    /// What it is for.
    pub kind: CredentialKind,
    /// Whom it proves.
    pub principal: Principal,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, where it does.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, as far as that is recorded: uses that follow each other closely are recorded once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_use: Option<CredentialUse>,
}

/// A use of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CredentialUse {
    /// When.
    pub at: Timestamp,
    /// By which program, as it says of itself: `docker/27.3.1`.
    pub client: Option<String>,
    /// From where.
    pub address: Option<IpAddr>,
}

/// What a credential is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum CredentialKind {
    /// An API token: serves as bearer token of the API and as password of `docker login`.
    Token,
    /// What `docker login` stores: may only be exchanged for short-lived registry tokens.
    RegistryRefresh,
}

/// Which role a peer of the link has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum PeerRole {
    /// `berth agent`.
    Agent,
    /// `berth router`.
    Router,
}

impl fmt::Display for PeerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Router => "router",
        })
    }
}

/// Lets a new agent or router join: a secret with a lifetime and a use count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JoinToken {
    /// Its id.
    pub id: JoinTokenId,
    /// Who may join with it.
    pub role: PeerRole,
    /// The cluster that an instance joins.
    pub cluster: ClusterName,
    /// SHA-256 of the secret.
    pub hash: Digest,
    /// How often it may still be used.
    pub uses_left: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}
