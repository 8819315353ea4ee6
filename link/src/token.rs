//! The line that a person carries to a new host: `berth-join-v1.FINGERPRINT.ID.SECRET`. The fingerprint proves the server
//! to the peer at their first contact, the secret proves the peer to the server.

use std::fmt;
use std::str::FromStr;

use model::{Digest, JoinTokenId};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::sentence;

const PREFIX: &str = "berth-join-v1";

/// A join token as people carry it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinTokenText {
    /// SHA-256 of the authority's public key, as 64 hexadecimal digits.
    pub fingerprint: String,
    /// Which token it is.
    pub id: JoinTokenId,
    /// What proves it. The server keeps only its SHA-256.
    pub secret: String,
}

/// Text that is not a join token. It does not repeat the text, which may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentence::no_join_token(PREFIX))]
pub struct JoinTokenError;

impl JoinTokenText {
    /// Whether this secret has that hash, compared in constant time.
    pub fn proves(&self, hash: &Digest) -> bool {
        let own: [u8; 32] = Sha256::digest(self.secret.as_bytes()).into();
        match hash {
            Digest::Sha256(known) => own.ct_eq(known).into(),
            Digest::Sha512(_) => false,
        }
    }
}

impl FromStr for JoinTokenText {
    type Err = JoinTokenError;

    fn from_str(text: &str) -> Result<Self, JoinTokenError> {
        let mut parts = text.trim().splitn(4, '.');
        let (Some(PREFIX), Some(fingerprint), Some(id), Some(secret)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(JoinTokenError);
        };
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let id = id.parse().ok().ok_or(JoinTokenError)?;
        if fingerprint.len() != 64 || !fingerprint.bytes().all(is_hex) || secret.is_empty() {
            return Err(JoinTokenError);
        }
        Ok(Self { fingerprint: fingerprint.to_owned(), id, secret: secret.to_owned() })
    }
}

impl fmt::Display for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}.{}", self.fingerprint, self.id, self.secret)
    }
}

impl fmt::Debug for JoinTokenText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}.{}.{}.(secret)", self.fingerprint, self.id)
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn token() -> JoinTokenText {
        JoinTokenText {
            fingerprint: "0f".repeat(32),
            id: JoinTokenId::new(Timestamp::EPOCH, [7; 10]),
            secret: "berth_join_abc.def".to_owned(),
        }
    }

    #[test]
    fn a_join_token_reads_back_what_it_wrote() {
        assert_eq!(format!("{}\n", token()).parse::<JoinTokenText>().unwrap(), token());
    }

    #[test]
    fn nothing_else_is_a_join_token() {
        let whole = token().to_string();
        let other = whole.replace("berth-join-v1", "berth-join-v2");
        for text in ["", "berth-join-v1", &whole[..80], &whole[3..], &other, &whole.to_uppercase()]
        {
            assert_eq!(text.parse::<JoinTokenText>(), Err(JoinTokenError), "{text}");
        }
    }

    #[test]
    fn a_token_shows_no_secret_where_it_is_debugged() {
        assert!(!format!("{:?}", token()).contains("abc"));
    }

    #[test]
    fn only_the_hash_of_its_own_secret_is_proven() {
        let hash = Digest::Sha256(Sha256::digest(token().secret.as_bytes()).into());
        assert!(token().proves(&hash));
        assert!(!JoinTokenText { secret: "other".to_owned(), ..token() }.proves(&hash));
        assert!(!token().proves(&Digest::Sha512([0; 64])));
    }
}
