//! Access tokens of registry clients: in memory only, as hashes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use access::Proven;
use model::{CredentialId, Digest, Principal, State, Timestamp};

use crate::scope::Scope;

/// How long an access token is valid. Clients fetch a new one by themselves.
pub(crate) const ACCESS_LIFE: Duration = Duration::from_mins(5);
/// Access tokens at most; a new one replaces those that expire first.
const MOST_TOKENS: usize = 100_000;

/// The valid access tokens.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<HashMap<Digest, Held>>);

#[derive(Debug)]
struct Held {
    principal: Principal,
    scopes: Arc<[Scope]>,
    /// The credential that it was issued for: it ends with it.
    credential: CredentialId,
    expires_at: Timestamp,
}

impl Tokens {
    /// A new token's text.
    pub(crate) fn issue(&self, proven: &Proven, scopes: Vec<Scope>, now: Timestamp) -> String {
        let secret = access::new_secret("berth_rat");
        let held = Held {
            principal: proven.principal.clone(),
            scopes: scopes.into(),
            credential: proven.credential,
            expires_at: now.plus(ACCESS_LIFE),
        };
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MOST_TOKENS || tokens.len().is_power_of_two() {
            tokens.retain(|_, held| now < held.expires_at);
        }
        if tokens.len() >= MOST_TOKENS
            && let Some(oldest) = tokens.iter().min_by_key(|(_, held)| held.expires_at)
        {
            let oldest = *oldest.0;
            tokens.remove(&oldest);
        }
        tokens.insert(secret.hash, held);
        secret.text
    }

    /// The caller that a token proves now.
    pub(crate) fn find(
        &self,
        state: &State,
        token: &str,
        now: Timestamp,
    ) -> Option<(Proven, Arc<[Scope]>)> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = tokens.get(&access::hash_secret(token)).filter(|held| now < held.expires_at)?;
        let credential = state.credential(held.credential)?;
        let lives = credential.expires_at.is_none_or(|end| now < end);
        let (principal, credential) = (held.principal.clone(), held.credential);
        lives.then(|| (Proven { principal, credential }, Arc::clone(&held.scopes)))
    }
}
