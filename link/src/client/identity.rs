//! The identity of a role: a key that never leaves its directory, and the certificate that the server issued for it. One
//! file, replaced atomically, so there is never half an identity.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::{fmt, fs, io};

use model::{PeerRole, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use rustls::SignatureScheme;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};

use super::error::ClientError;
use crate::certificate::{CertificateInfo, PeerId};
use crate::sentence::{Plain, plain};

/// The file in the role's directory.
pub(super) const FILE: &str = "identity.json";

/// A joined role.
#[derive(Debug)]
pub(super) struct Identity {
    path: PathBuf,
    peer: PeerId,
    authority: CertificateDer<'static>,
    fingerprint: String,
    resolver: Arc<CurrentCertificate>,
}

/// The file's content.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) key: String,
    pub(super) certificate: String,
    pub(super) authority: String,
}

type Cause = Box<dyn Error + Send + Sync>;

impl Identity {
    /// The identity in `dir`, if there is one.
    pub(super) fn load(dir: &Path, role: PeerRole) -> Result<Option<Self>, ClientError> {
        let path = dir.join(FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ClientError::File { path, source }),
        };
        let record = serde_json::from_slice(&bytes)
            .map_err(|error| ClientError::Damaged { path: path.clone(), source: error.into() })?;
        let identity = Self::of(path.clone(), &record)
            .map_err(|source| ClientError::Damaged { path, source })?;
        if identity.peer.role() != role {
            let found = identity.peer.to_string();
            return Err(ClientError::OtherRole { dir: dir.to_owned(), found, role });
        }
        Ok(Some(identity))
    }

    /// Keeps a new identity in `dir`.
    pub(super) fn save(dir: &Path, record: &Record) -> Result<Self, ClientError> {
        let path = dir.join(FILE);
        let identity = Self::of(path.clone(), record)
            .map_err(|source| ClientError::Damaged { path: path.clone(), source })?;
        disk::create_dir(dir, 0o700)
            .and_then(|()| write(&path, record))
            .map_err(|source| ClientError::File { path, source })?;
        Ok(identity)
    }

    fn of(path: PathBuf, record: &Record) -> Result<Self, Cause> {
        let loaded = LoadedIdentity::of(record)?;
        let authority = CertificateDer::from_pem_slice(record.authority.as_bytes())?;
        Ok(Self {
            path,
            peer: loaded.info.peer()?,
            fingerprint: CertificateInfo::of(&authority)?.fingerprint,
            authority,
            resolver: Arc::new(CurrentCertificate(RwLock::new(loaded))),
        })
    }

    /// Whose it is.
    pub(super) fn peer(&self) -> PeerId {
        self.peer
    }

    /// The authority that made its certificate.
    pub(super) fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    /// SHA-256 of that authority's public key.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Presents its newest certificate to servers.
    pub(super) fn resolver(&self) -> &Arc<CurrentCertificate> {
        &self.resolver
    }

    /// From when on its certificate is renewed: between 1/2 and 2/3 of its life, by `random`, so that peers that joined
    /// together do not renew together.
    pub(super) fn renew_at(&self, random: f64) -> Timestamp {
        let loaded = self.resolver.current();
        let life = loaded.info.not_after.since(loaded.info.not_before);
        loaded.info.not_before.plus(life.mul_f64(0.5 + random / 6.0))
    }

    /// The content of a request for renewal: the certificate, and a signing request of the same key.
    pub(super) fn renewal(&self) -> Result<(String, String), Cause> {
        let record = self.resolver.current().record.clone();
        let request = request(&KeyPair::from_pem(&record.key)?)?;
        Ok((record.certificate, request))
    }

    /// Takes a new certificate for its key: on disk first, then for the next connection.
    pub(super) fn renew(&self, certificate: String) -> Result<(), Cause> {
        let record = Record { certificate, ..self.resolver.current().record.clone() };
        let loaded = LoadedIdentity::of(&record)?;
        if loaded.info.peer()? != self.peer {
            return Err(plain(Plain::CertificateOfAnother).into());
        }
        write(&self.path, &record)?;
        *self.resolver.0.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(record).map_err(io::Error::other)?;
    disk::write(path, &text, 0o600)
}

/// A signing request in PEM. It names nothing but the key: the server knows the peer.
pub(super) fn request(key: &KeyPair) -> Result<String, rcgen::Error> {
    CertificateParams::default().serialize_request(key)?.pem()
}

/// A certificate with its key, ready for TLS.
struct LoadedIdentity {
    record: Record,
    info: CertificateInfo,
    certified: Arc<CertifiedKey>,
}

impl LoadedIdentity {
    fn of(record: &Record) -> Result<Self, Cause> {
        let certificate = CertificateDer::from_pem_slice(record.certificate.as_bytes())?;
        let info = CertificateInfo::of(&certificate)?;
        let key = PrivateKeyDer::from_pem_slice(record.key.as_bytes())?;
        let signing = rustls::crypto::ring::sign::any_supported_type(&key)?;
        let certified = CertifiedKey::new(vec![certificate], signing);
        certified.keys_match()?;
        Ok(Self { record: record.clone(), info, certified: Arc::new(certified) })
    }
}

/// Presents the current certificate.
pub(super) struct CurrentCertificate(RwLock<LoadedIdentity>);

impl CurrentCertificate {
    fn current(&self) -> std::sync::RwLockReadGuard<'_, LoadedIdentity> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CurrentCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CurrentCertificate").field(&self.current().info).finish()
    }
}

impl ResolvesClientCert for CurrentCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current().certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
