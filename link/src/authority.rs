//! Berth's own certificate authority. Its key never leaves the server's data directory; its fingerprint
//! identifies the server.
//!
//! The certificate is derived from the key: a directory that has lost the certificate gets it again, with the same
//! fingerprint, and peers that joined before still trust it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use model::{InstallationId, Timestamp};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams,
    DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::certificate::{PeerId, fingerprint};
use crate::sentence::{self, Plain, plain};
use crate::tls::SERVER_NAME;

/// How long a peer's certificate is valid; it is renewed halfway.
pub(crate) const PEER_LIFE: Duration = Duration::from_hours(14 * 24);
const AUTHORITY_LIFE: Duration = Duration::from_hours(20 * 365 * 24);
/// Clocks differ, and jump: what is new is valid a day ago.
const SLACK: Duration = Duration::from_hours(24);
const KEY_FILE: &str = "ca.key";
const CERTIFICATE_FILE: &str = "ca.crt";

/// Berth's own certificate authority. Clones share it.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    fingerprint: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.inner.fingerprint).finish()
    }
}

/// Why the authority cannot work.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file cannot be read or written.
    #[error("{}", sentence::cannot_use_file(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}", sentence::authority_damaged(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A certificate cannot be made.
    #[error("{}", plain(Plain::CannotSign))]
    Sign(#[source] rcgen::Error),
    /// Bytes that are no certificate signing request, or one that its key did not sign.
    #[error("{}", plain(Plain::SigningRequestInvalid))]
    Request(#[source] rcgen::Error),
    /// A key that the TLS library does not take.
    #[error("{}", plain(Plain::CannotUseKey))]
    Key(#[source] rustls::Error),
}

impl Authority {
    /// Opens the authority in `dir`, or makes it at first start.
    pub fn open(
        dir: &Path,
        installation: InstallationId,
        now: Timestamp,
    ) -> Result<Self, AuthorityError> {
        let file = |path: &Path, source| AuthorityError::File { path: path.to_owned(), source };
        disk::create_dir(dir, 0o700).map_err(|source| file(dir, source))?;
        let (key_path, certificate_path) = (dir.join(KEY_FILE), dir.join(CERTIFICATE_FILE));
        let key = match fs::read_to_string(&key_path) {
            Ok(text) => KeyPair::from_pem(&text).map_err(|source| AuthorityError::Damaged {
                path: key_path,
                source: source.into(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(AuthorityError::Sign)?;
                disk::write(&key_path, key.serialize_pem().as_bytes(), 0o600)
                    .map_err(|source| file(&key_path, source))?;
                key
            }
            Err(source) => return Err(file(&key_path, source)),
        };
        let params = authority_params(installation, now);
        let certificate = match fs::read(&certificate_path) {
            Ok(text) => CertificateDer::from_pem_slice(&text).map_err(|source| {
                AuthorityError::Damaged { path: certificate_path, source: source.into() }
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = params.self_signed(&key).map_err(AuthorityError::Sign)?;
                disk::write(&certificate_path, made.pem().as_bytes(), 0o644)
                    .map_err(|source| file(&certificate_path, source))?;
                made.der().clone()
            }
            Err(source) => return Err(file(&certificate_path, source)),
        };
        let fingerprint = fingerprint(&key.subject_public_key_info());
        let issuer = Issuer::new(params, key);
        Ok(Self { inner: Arc::new(Inner { issuer, certificate, fingerprint }) })
    }

    /// SHA-256 of the authority's public key (its `SubjectPublicKeyInfo`), as 64 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.inner.fingerprint.clone()
    }

    /// The authority's own certificate.
    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.inner.certificate
    }

    /// The authority's own certificate as text.
    pub(crate) fn certificate_pem(&self) -> String {
        pem_of(&self.inner.certificate)
    }

    /// A certificate for the key that signed this request. Nothing else of the request counts: the server
    /// decides the peer's name.
    pub(crate) fn issue(
        &self,
        peer: PeerId,
        request: &CertificateSigningRequestParams,
        now: Timestamp,
    ) -> Result<Certificate, AuthorityError> {
        let mut params = leaf_params(&peer.to_string(), now, now.plus(PEER_LIFE));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&request.public_key, &self.inner.issuer).map_err(AuthorityError::Sign)
    }

    /// A new key and certificate for the server, with the authority's certificate behind it. It lives in memory only.
    pub(crate) fn server_key(&self, now: Timestamp) -> Result<CertifiedKey, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Sign)?;
        let mut params = leaf_params(SERVER_NAME, now, now.plus(AUTHORITY_LIFE));
        let name = SERVER_NAME.try_into().map_err(AuthorityError::Sign)?;
        params.subject_alt_names = vec![rcgen::SanType::DnsName(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate =
            params.signed_by(&key, &self.inner.issuer).map_err(AuthorityError::Sign)?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let signing =
            rustls::crypto::ring::sign::any_supported_type(&der).map_err(AuthorityError::Key)?;
        let chain = vec![certificate.der().clone(), self.inner.certificate.clone()];
        Ok(CertifiedKey::new(chain, signing))
    }
}

/// Reads a certificate signing request in PEM, and checks that its key signed it.
pub(crate) fn read_request(pem: &str) -> Result<CertificateSigningRequestParams, AuthorityError> {
    CertificateSigningRequestParams::from_pem(pem).map_err(AuthorityError::Request)
}

/// A certificate as text.
pub(crate) fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let body = base64::engine::general_purpose::STANDARD.encode(certificate);
    for line in body.as_bytes().chunks(64) {
        text.extend(line.iter().map(|byte| char::from(*byte)));
        text.push('\n');
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}

fn authority_params(installation: InstallationId, now: Timestamp) -> CertificateParams {
    let mut params = validity(now, now.plus(AUTHORITY_LIFE));
    params.distinguished_name = named(&format!("Berth {installation}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn leaf_params(name: &str, now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let mut params = validity(now, not_after);
    params.distinguished_name = named(name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from(rand::random::<[u8; 16]>().to_vec()));
    params
}

fn validity(now: Timestamp, not_after: Timestamp) -> CertificateParams {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |time: Timestamp| epoch + time.since(Timestamp::EPOCH);
    let not_before = Timestamp::EPOCH.plus(now.since(Timestamp::EPOCH.plus(SLACK)));
    let mut params = CertificateParams::default();
    params.not_before = at(not_before);
    params.not_after = at(not_after);
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::certificate::CertificateInfo;

    const NOW: Timestamp = Timestamp::from_millis(1_795_421_734_000);

    fn open(dir: &Path) -> Result<Authority, AuthorityError> {
        Authority::open(dir, InstallationId::new(NOW, [1; 10]), NOW)
    }

    #[test]
    fn an_authority_stays_the_same_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let ca = dir.path().join("ca");
        let fingerprint = open(&ca).unwrap().fingerprint();
        assert_eq!(open(&ca).unwrap().fingerprint(), fingerprint);
        assert_eq!(fingerprint.len(), 64);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&ca), mode(&ca.join(KEY_FILE))), (0o700, 0o600));

        fs::remove_file(ca.join(CERTIFICATE_FILE)).unwrap();
        let again = open(&ca).unwrap();
        assert_eq!(again.fingerprint(), fingerprint, "it is derived from the key");
        assert_eq!(CertificateInfo::of(again.certificate()).unwrap().fingerprint, fingerprint);
    }

    #[test]
    fn a_damaged_key_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path()).unwrap();
        let key = dir.path().join(KEY_FILE);
        let half = fs::read(&key).unwrap()[..40].to_vec();
        disk::write(&key, &half, 0o600).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, AuthorityError::Damaged { .. }), "{error}");
        assert_eq!(fs::read(&key).unwrap(), half);
    }

    #[test]
    fn a_certificate_names_its_peer_and_ends() {
        let dir = tempfile::tempdir().unwrap();
        let authority = open(dir.path()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut wish = CertificateParams::new(["berth-server".to_owned()]).unwrap();
        wish.distinguished_name = named("router/00000000000000000000000000000000");
        let request = read_request(&wish.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
        let peer = PeerId::Instance(model::InstanceId::new(NOW, [3; 10]));
        let certificate = authority.issue(peer, &request, NOW).unwrap();
        let info = CertificateInfo::of(certificate.der()).unwrap();
        assert_eq!(info.peer().unwrap(), peer, "the request's own wish does not count");
        assert_eq!(info.not_after, NOW.plus(PEER_LIFE));
        assert_eq!(info.fingerprint, fingerprint(&key.subject_public_key_info()));
        assert!(read_request("nonsense").is_err());
    }
}
