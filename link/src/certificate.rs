//! What is read of a certificate: its peer, its validity and its key.

use std::fmt;
use std::str::FromStr;

use model::{InstanceId, PeerRole, Principal, RouterId, Timestamp};
use sha2::{Digest as _, Sha256};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::sentence::{self, Plain, plain};

/// A peer of the link. The common name of its certificate is this as text, `instance/ID` or `router/ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerId {
    /// The agent of this instance.
    Instance(InstanceId),
    /// This router.
    Router(RouterId),
}

impl PeerId {
    /// The role that such a peer has.
    pub fn role(self) -> PeerRole {
        match self {
            Self::Instance(_) => PeerRole::Agent,
            Self::Router(_) => PeerRole::Router,
        }
    }

    /// The principal of its requests.
    pub fn principal(self) -> Principal {
        match self {
            Self::Instance(id) => Principal::Instance(id),
            Self::Router(id) => Principal::Router(id),
        }
    }

    /// Its id alone.
    pub fn id(self) -> String {
        match self {
            Self::Instance(id) => id.to_string(),
            Self::Router(id) => id.to_string(),
        }
    }
}

impl From<InstanceId> for PeerId {
    fn from(id: InstanceId) -> Self {
        Self::Instance(id)
    }
}

impl From<RouterId> for PeerId {
    fn from(id: RouterId) -> Self {
        Self::Router(id)
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => write!(f, "instance/{id}"),
            Self::Router(id) => write!(f, "router/{id}"),
        }
    }
}

/// Text that names no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentence::no_peer(.0))]
pub struct PeerIdError(String);

impl FromStr for PeerId {
    type Err = PeerIdError;

    fn from_str(text: &str) -> Result<Self, PeerIdError> {
        let id = match text.split_once('/') {
            Some(("instance", id)) => id.parse().ok().map(Self::Instance),
            Some(("router", id)) => id.parse().ok().map(Self::Router),
            _ => None,
        };
        id.ok_or_else(|| PeerIdError(text.chars().take(80).collect()))
    }
}

/// What Berth needs of a certificate. That it is genuine is for TLS to prove, not for this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateInfo {
    /// The common name.
    pub(crate) name: String,
    /// When it begins to be valid.
    pub(crate) not_before: Timestamp,
    /// When it ends.
    pub(crate) not_after: Timestamp,
    /// SHA-256 of its public key, as hexadecimal digits.
    pub(crate) fingerprint: String,
}

/// Bytes that are not a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", plain(Plain::CertificateUnreadable))]
pub(crate) struct Unreadable;

impl CertificateInfo {
    pub(crate) fn of(der: &[u8]) -> Result<Self, Unreadable> {
        let (_, certificate) = X509Certificate::from_der(der).ok().ok_or(Unreadable)?;
        let name = certificate.subject().iter_common_name().next();
        let validity = certificate.validity();
        let at = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1000));
        Ok(Self {
            name: name.and_then(|name| name.as_str().ok()).unwrap_or_default().to_owned(),
            not_before: at(validity.not_before.timestamp()),
            not_after: at(validity.not_after.timestamp()),
            fingerprint: fingerprint(certificate.public_key().raw),
        })
    }

    /// Whose it is.
    pub(crate) fn peer(&self) -> Result<PeerId, PeerIdError> {
        self.name.parse()
    }
}

/// SHA-256 of a public key (its `SubjectPublicKeyInfo`), as hexadecimal digits.
pub(crate) fn fingerprint(public_key: &[u8]) -> String {
    hex::encode(Sha256::digest(public_key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_reads_back_what_it_wrote() {
        let id = PeerId::Instance(InstanceId::new(Timestamp::EPOCH, [1; 10]));
        assert_eq!(id.to_string().parse::<PeerId>().unwrap(), id);
        let id = PeerId::Router(RouterId::new(Timestamp::EPOCH, [1; 10]));
        assert_eq!(id.to_string().parse::<PeerId>().unwrap(), id);
        for text in ["", "berth-server", "instance/", "user/0123", "instance/x/y"] {
            assert!(text.parse::<PeerId>().is_err(), "{text}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_refused() {
        assert_eq!(CertificateInfo::of(b"nonsense"), Err(Unreadable));
    }
}
