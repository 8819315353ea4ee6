//! TLS 1.3 and nothing older, with Berth's own authority as the only root, on both ends.
//!
//! Peers know the server by its authority and not by its address, so it may move: every peer expects one fixed name.

use std::fmt;
use std::sync::Arc;

use model::Clock;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::certificate::CertificateInfo;

/// The name in the server's certificate, whatever its address is.
pub(crate) const SERVER_NAME: &str = "berth-server";
const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

/// The server's end. Certificates of peers are requested but optional: a peer that joins has none yet.
pub(crate) fn server(
    authority: &CertificateDer<'static>,
    key: CertifiedKey,
    clock: Arc<dyn Clock>,
) -> Result<ServerConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let roots = Arc::new(roots(authority)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| Error::General(error.to_string()))?;
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(key));
    let mut config = ServerConfig::builder_with_details(provider, TlsClock::of(clock))
        .with_protocol_versions(VERSIONS)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(resolver);
    // Each connection proves itself anew, so an expired certificate does not live on in a ticket.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A joined peer's end: trusts this authority, shows the certificate that `own` holds at the time.
pub(crate) fn client(
    authority: &CertificateDer<'static>,
    own: Option<Arc<dyn ResolvesClientCert>>,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let trusted = AuthorityVerifier::new(authority, &provider)?;
    build(Arc::new(trusted), own, provider, clock)
}

/// The end of a peer that joins: trusts the authority whose public key has this SHA-256, once it shows itself.
pub(crate) fn pinned(fingerprint: &str, clock: Arc<dyn Clock>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let pinned =
        PinnedVerifier { fingerprint: fingerprint.to_owned(), provider: Arc::clone(&provider) };
    build(Arc::new(pinned), None, provider, clock)
}

fn build(
    verifier: Arc<dyn ServerCertVerifier>,
    own: Option<Arc<dyn ResolvesClientCert>>,
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_details(provider, TlsClock::of(clock))
        .with_protocol_versions(VERSIONS)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match own {
        Some(own) => builder.with_client_cert_resolver(own),
        None => builder.with_no_client_auth(),
    };
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A store with this authority alone.
pub(crate) fn roots(authority: &CertificateDer<'static>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    Ok(roots)
}

/// The role's clock, for TLS.
struct TlsClock(Arc<dyn Clock>);

impl TlsClock {
    fn of(clock: Arc<dyn Clock>) -> Arc<dyn TimeProvider> {
        Arc::new(Self(clock))
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsClock")
    }
}

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.now().since(model::Timestamp::EPOCH)))
    }
}

/// Checks the server's certificate against one authority and the fixed name.
#[derive(Debug)]
struct AuthorityVerifier(Arc<WebPkiServerVerifier>);

impl AuthorityVerifier {
    fn new(
        authority: &CertificateDer<'static>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let roots = Arc::new(roots(authority)?);
        WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider))
            .build()
            .map(Self)
            .map_err(|error| Error::General(error.to_string()))
    }
}

impl ServerCertVerifier for AuthorityVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let name = ServerName::try_from(SERVER_NAME).expect("the fixed name is a DNS name");
        self.0.verify_server_cert(end_entity, intermediates, &name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Checks that the server shows an authority with the pinned key, and a certificate of that authority.
#[derive(Debug)]
struct PinnedVerifier {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|der| {
                CertificateInfo::of(der).is_ok_and(|info| info.fingerprint == self.fingerprint)
            })
            .ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        AuthorityVerifier::new(&authority.clone().into_owned(), &self.provider)?.verify_server_cert(
            end_entity,
            intermediates,
            dialled,
            ocsp_response,
            now,
        )
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
