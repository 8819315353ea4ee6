//! The one place that says yes or no. Whoever is not allowed is denied, and what is not declared cannot be asked for: every
//! operation names its [`Action`], and there is no other way to a yes than [`authorize`].
//!
//! Secrets are 256 random bits, so their SHA-256 is all that is kept and no slow hash is needed: there is nothing to guess.

use std::fmt;

use model::{CredentialId, CredentialKind, Digest, Principal, State, Timestamp};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

mod action;
mod resource;

pub use action::Action;
pub use resource::{Resource, ResourceKind};

/// The administrator's user name.
pub const ADMINISTRATOR: &str = "admin";

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

/// Says yes to the administrator, to an instance that pulls what its tasks run, and to a user who logs in for themselves; no
/// to everybody and everything else. Of a resource without a name it says whether there may be one that they may.
pub fn authorize(
    state: &State,
    principal: &Principal,
    action: Action,
    resource: &Resource,
) -> Result<(), Denied> {
    let names = |name: &str| resource.name.as_deref().is_none_or(|wanted| wanted == name);
    let yes = match (principal, action, resource.kind) {
        (Principal::User(name), _, _) if name == ADMINISTRATOR => true,
        (Principal::User(name), Action::RegistryLogin, ResourceKind::User) => names(name),
        (Principal::Instance(id), Action::RepositoryPull, ResourceKind::Repository) => state
            .tasks_on(*id)
            .filter(|task| task.reserves())
            .flat_map(model::Task::containers)
            .any(|container| names(container.image.repository.as_str())),
        (
            Principal::User(_)
            | Principal::Instance(_)
            | Principal::Router(_)
            | Principal::Anonymous,
            _,
            _,
        ) => false,
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
    secret_of(prefix, random)
}

/// The same of random bits that are given.
pub fn secret_of(prefix: &str, random: [u8; 32]) -> Secret {
    let text = format!("{prefix}_{}", hex::encode(random));
    let hash = hash_secret(&text);
    Secret { text, hash }
}

/// What is kept of a secret.
pub fn hash_secret(text: &str) -> Digest {
    Digest::Sha256(Sha256::digest(text).into())
}

/// Somebody whom a secret has proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who.
    pub principal: Principal,
    /// What proved them: what they ask for ends with it.
    pub credential: CredentialId,
}

/// Whom a secret of this kind proves now. The look-up is by hash, so its time tells nothing about the secret.
pub fn authenticate(
    state: &State,
    secret: &str,
    kind: CredentialKind,
    now: Timestamp,
) -> Option<Proven> {
    let credential = state.credential_by_hash(&hash_secret(secret))?;
    let valid = credential.kind == kind && credential.expires_at.is_none_or(|end| now < end);
    valid.then(|| Proven { principal: credential.principal.clone(), credential: credential.id })
}

#[cfg(test)]
mod tests;
