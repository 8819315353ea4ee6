//! The secrets that let people and peers in.

use super::{Applied, Write, exists, not_found};
use crate::access::{Credential, CredentialUse, JoinToken};
use crate::change::AccessChange;
use crate::id::{CredentialId, JoinTokenId};
use crate::refusal::{JoinTokenEnd, Refusal};
use crate::time::Timestamp;

/// Expired join tokens that a new one takes with it.
const EXPIRED_PER_TOKEN: usize = 16;

impl Write<'_> {
    pub(super) fn access(&mut self, change: &AccessChange) -> Applied {
        match change {
            AccessChange::CreateCredential(credential) => self.create_credential(credential),
            AccessChange::RevokeCredential(id) => self.revoke_credential(*id),
            AccessChange::UseCredential { id, last_use, expires_at } => {
                self.use_credential(*id, last_use, *expires_at)
            }
            AccessChange::CreateJoinToken(token) => self.create_join_token(token),
            AccessChange::UseJoinToken(id) => self.use_join_token(*id),
        }
    }

    fn create_credential(&mut self, credential: &Credential) -> Applied {
        let (id, hash) = (credential.id, credential.hash);
        if self.state.credential(id).is_some() || self.state.credential_by_hash(&hash).is_some() {
            return Err(exists("credential", id));
        }
        self.put(credential.clone());
        Ok(())
    }

    fn revoke_credential(&mut self, id: CredentialId) -> Applied {
        if !self.remove::<Credential>(id) {
            return Err(not_found("credential", id));
        }
        Ok(())
    }

    fn use_credential(
        &mut self,
        id: CredentialId,
        last_use: &CredentialUse,
        expires_at: Option<Timestamp>,
    ) -> Applied {
        let known = self.state.credential(id).ok_or_else(|| not_found("credential", id))?;
        let last_use = Some(last_use.clone());
        self.put(Credential { expires_at, last_use, ..known.clone() });
        Ok(())
    }

    /// Each new one takes expired ones with it, a few at a time: a batch touches only so many rows.
    fn create_join_token(&mut self, token: &JoinToken) -> Applied {
        if self.state.join_token(token.id).is_some() {
            return Err(exists("join token", token.id));
        }
        if self.state.cluster(&token.cluster).is_none() {
            return Err(not_found("cluster", &token.cluster));
        }
        let expired = self.state.join_tokens().filter(|token| token.expires_at <= self.at);
        let expired: Vec<_> = expired.map(|token| token.id).take(EXPIRED_PER_TOKEN).collect();
        for id in expired {
            self.remove::<JoinToken>(id);
        }
        self.put(token.clone());
        Ok(())
    }

    fn use_join_token(&mut self, id: JoinTokenId) -> Applied {
        let known = self.state.join_token(id).ok_or_else(|| not_found("join token", id))?;
        if known.expires_at <= self.at {
            return Err(Refusal::JoinTokenOver(JoinTokenEnd::Expired));
        }
        let Some(uses_left) = known.uses_left.checked_sub(1) else {
            return Err(Refusal::JoinTokenOver(JoinTokenEnd::UsedUp));
        };
        let token = JoinToken { uses_left, ..known.clone() };
        self.put(token);
        Ok(())
    }
}
