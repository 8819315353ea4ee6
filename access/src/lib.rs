//! The one place that says yes or no. Whoever is not allowed is denied, and what is not declared cannot be asked for: every
//! operation names its [`Action`], and there is no other way to a yes than [`authorize`].
//!
//! Secrets are 256 random bits, so their SHA-256 is all that is kept and no slow hash is needed: there is nothing to guess.

use std::fmt;

use model::{CredentialKind, Digest, Principal, RepositoryName, State, Timestamp};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

mod action;

pub use action::Action;

/// The administrator's user name.
pub const ADMINISTRATOR: &str = "admin";

/// What an action is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Everything of its kind.
    All,
    /// One repository.
    Repository(RepositoryName),
    /// One entity by kind and name, as in `service` and `hello`.
    Named {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Repository(name) => write!(f, "repository/{name}"),
            Self::Named { kind, name } => write!(f, "{kind}/{name}"),
        }
    }
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{principal}` may not `{action}` on `{resource}`")]
pub struct Denied {
    /// Who asked.
    pub principal: Principal,
    /// For what.
    pub action: Action,
    /// About what.
    pub resource: String,
}

/// Says yes to the administrator, and to an instance that pulls what its tasks run; no to everybody and everything else.
pub fn authorize(
    state: &State,
    principal: &Principal,
    action: Action,
    resource: &Resource,
) -> Result<(), Denied> {
    let yes = match (principal, action, resource) {
        (Principal::User(name), _, _) => name == ADMINISTRATOR,
        (Principal::Instance(id), Action::RepositoryPull, Resource::Repository(repository)) => {
            state
                .tasks_on(*id)
                .filter(|task| task.reserves())
                .flat_map(|task| &task.containers)
                .any(|container| container.image.repository == *repository)
        }
        (Principal::Instance(_) | Principal::Router(_) | Principal::Anonymous, _, _) => false,
    };
    if yes {
        return Ok(());
    }
    Err(Denied { principal: principal.clone(), action, resource: resource.to_string() })
}

/// A new secret: its text, which is shown once, and its hash, which is kept.
#[derive(Clone)]
pub struct Secret {
    /// What its owner keeps.
    pub text: String,
    /// What the store keeps.
    pub hash: Digest,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// 256 random bits behind a prefix that leak scanners find, as in `berth_pat_4f...`.
pub fn new_secret(prefix: &str) -> Secret {
    let mut random = [0; 32];
    rand::rng().fill_bytes(&mut random);
    let text = format!("{prefix}_{}", Digest::Sha256(random).hex());
    let hash = hash_secret(&text);
    Secret { text, hash }
}

/// What is kept of a secret.
pub fn hash_secret(text: &str) -> Digest {
    Digest::Sha256(Sha256::digest(text).into())
}

/// Whom a secret of this kind proves now. The look-up is by hash, so its time tells nothing about the secret.
pub fn authenticate(
    state: &State,
    secret: &str,
    kind: CredentialKind,
    now: Timestamp,
) -> Option<Principal> {
    let credential = state.credential_by_hash(&hash_secret(secret))?;
    let valid = credential.kind == kind && credential.expires_at.is_none_or(|end| now < end);
    valid.then(|| credential.principal.clone())
}

#[cfg(test)]
mod tests;
