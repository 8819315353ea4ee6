//! Access tokens of registry clients. A token holds what it is for, sealed with a key that lies on disk: it is good after a
//! restart, for a push in flight fetches no new one, and needs no row. It ends with the credential that it was issued for.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use access::Proven;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{CredentialId, State, Timestamp};
use rand::Rng as _;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::scope::Scope;

/// How long an access token is valid. Clients fetch a new one by themselves, but not within a push or pull.
pub(crate) const ACCESS_LIFE: Duration = Duration::from_mins(5);
/// What every token begins with, so that one is recognised wherever it leaks.
const PREFIX: &str = "berth_rat_";
/// Whatever else the key may ever seal is no token.
const PURPOSE: &[u8] = b"berth registry access token";
/// The file with the key.
const FILE: &str = "token.key";

/// What issues tokens and reads them.
pub(crate) struct Tokens(LessSafeKey);

/// What a token holds.
#[derive(Debug, Serialize, Deserialize)]
struct Content {
    /// The credential that it was issued for.
    credential: CredentialId,
    /// As clients write them.
    scopes: Vec<String>,
    expires_at: Timestamp,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tokens").finish_non_exhaustive()
    }
}

impl Tokens {
    /// With the key in this directory, which is made where there is none. Another key only means that clients must fetch
    /// new tokens.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(FILE);
        let known = match std::fs::read(&path) {
            Ok(bytes) => <[u8; 32]>::try_from(bytes).ok(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let key = if let Some(key) = known {
            key
        } else {
            let mut key = [0; 32];
            rand::rng().fill_bytes(&mut key);
            disk::write(&path, &key, 0o600)?;
            key
        };
        let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("the key has its length");
        Ok(Self(LessSafeKey::new(key)))
    }

    /// A new token's text.
    pub(crate) fn issue(&self, proven: &Proven, scopes: &[Scope], now: Timestamp) -> String {
        let content = Content {
            credential: proven.credential,
            scopes: scopes.iter().map(ToString::to_string).collect(),
            expires_at: now.plus(ACCESS_LIFE),
        };
        let mut text = serde_json::to_vec(&content).expect("texts can always be written as JSON");
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(PURPOSE),
                &mut text,
            )
            .expect("a token is far shorter than what can be sealed");
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode([nonce.as_slice(), &text].concat()))
    }

    /// The caller that a token proves now.
    pub(crate) fn find(
        &self,
        state: &State,
        token: &str,
        now: Timestamp,
    ) -> Option<(Proven, Arc<[Scope]>)> {
        let content = self.read(token)?;
        let credential = state.credential(content.credential)?;
        let lives = |end: Timestamp| now < end;
        if !lives(content.expires_at) || !credential.expires_at.is_none_or(lives) {
            return None;
        }
        let scopes = content.scopes.iter().filter_map(|text| text.parse().ok()).collect();
        let principal = credential.principal.clone();
        Some((Proven { principal, credential: credential.id }, scopes))
    }

    fn read(&self, token: &str) -> Option<Content> {
        let mut bytes = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let text = self.0.open_in_place(nonce, Aad::from(PURPOSE), sealed).ok()?;
        serde_json::from_slice(text).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use model::{AccessChange, Change, Credential, CredentialKind, Digest, Principal};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn known() -> (State, Proven) {
        let principal = Principal::User("admin".to_owned());
        let id = CredentialId::new(at(1), [1; 10]);
        let credential = Credential {
            id,
            kind: CredentialKind::Token,
            principal: principal.clone(),
            hash: Digest::Sha256([0; 32]),
            created_at: at(1),
            expires_at: None,
            last_use: None,
        };
        let mut state = State::default();
        let create = Change::from(AccessChange::CreateCredential(credential));
        state.apply(&create, at(1)).unwrap();
        (state, Proven { principal, credential: id })
    }

    #[test]
    fn a_token_is_good_after_a_restart_until_it_or_its_credential_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (mut state, proven) = known();
        let scope: Scope = "repository:team/hello:pull,push".parse().unwrap();
        let token = Tokens::open(dir.path()).unwrap().issue(&proven, from_ref(&scope), at(10));
        let again = Tokens::open(dir.path()).unwrap();
        let (found, scopes) = again.find(&state, &token, at(309)).expect("it is good");
        assert_eq!((found, scopes.as_ref()), (proven.clone(), from_ref(&scope)));
        assert!(again.find(&state, &token, at(310)).is_none(), "its five minutes are over");
        state
            .apply(&Change::from(AccessChange::RevokeCredential(proven.credential)), at(11))
            .unwrap();
        assert!(again.find(&state, &token, at(12)).is_none(), "its credential is revoked");
    }

    #[test]
    fn what_another_key_has_sealed_or_somebody_has_changed_is_no_token() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (state, proven) = known();
        let tokens = Tokens::open(dir.path()).unwrap();
        let token = tokens.issue(&proven, &[Scope::Catalog], at(10));
        assert!(tokens.find(&state, &token, at(11)).is_some());
        assert!(Tokens::open(other.path()).unwrap().find(&state, &token, at(11)).is_none());
        let sealed = token.len() - PREFIX.len();
        for place in (0..sealed).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            let byte = &mut bytes[PREFIX.len() + place];
            *byte = if *byte == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(tokens.find(&state, &changed, at(11)).is_none(), "{place}");
        }
        for odd in ["", PREFIX, "berth_rat_AAAA", &token[1..], &token[..token.len() - 4]] {
            assert!(tokens.find(&state, odd, at(11)).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_key_that_is_cut_off_is_replaced_and_nobody_else_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        disk::write(&path, b"short", 0o600).unwrap();
        Tokens::open(dir.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), 32);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
