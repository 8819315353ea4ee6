//! How a peer joins, and how it renews its certificate.
//!
//! Joining spends one use of a token and registers the peer in one batch: never one without the other. Renewing needs no
//! valid certificate, only one of ours and its key, so that a peer which was off for long comes back by itself.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use model::{
    AccessChange, Change, Instance, InstanceChange, InstanceId, InstanceStatus, JoinToken,
    JoinTokenEnd, PeerRole, Refusal, Router, RouterChange, RouterId, State, Timestamp,
};
use rcgen::PublicKeyData as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;

use super::address;
use super::clean;
use super::shared::Shared;
use super::submit::SubmitError;
use crate::authority::{self, AuthorityError};
use crate::certificate::{CertificateInfo, PeerId, fingerprint};
use crate::message::{CertificateResponse, Hello, JoinRequest, RenewRequest};
use crate::refusal::RefusalCode;
use crate::sentence::{self, Plain, plain};
use crate::tls;
use crate::token::JoinTokenText;

/// Why a join or a renewal is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum EnrolError {
    #[error("{}", plain(Plain::TokenUnknown))]
    TokenUnknown,
    #[error("{}", sentence::token_for_other_role(*token, *given))]
    TokenForOtherRole { token: PeerRole, given: PeerRole },
    #[error("{}", plain(Plain::HostMissing))]
    HostMissing,
    #[error("{}", plain(Plain::CertificateForeign))]
    Foreign,
    #[error("{}", sentence::removed(.0))]
    Removed(PeerId),
    #[error(transparent)]
    Authority(AuthorityError),
    #[error(transparent)]
    Refused(Refusal),
    #[error("{0}")]
    Unavailable(String),
}

impl EnrolError {
    /// Its HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TokenUnknown
            | Self::TokenForOtherRole { .. }
            | Self::Foreign
            | Self::Removed(_)
            | Self::Refused(_) => StatusCode::FORBIDDEN,
            Self::HostMissing | Self::Authority(AuthorityError::Request(_)) => {
                StatusCode::BAD_REQUEST
            }
            Self::Authority(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What the peer decides on.
    pub(super) fn code(&self) -> RefusalCode {
        match self {
            Self::TokenUnknown => RefusalCode::TokenUnknown,
            Self::TokenForOtherRole { .. } => RefusalCode::TokenForOtherRole,
            Self::HostMissing => RefusalCode::HostMissing,
            Self::Foreign => RefusalCode::CertificateForeign,
            Self::Removed(_) => RefusalCode::PeerRemoved,
            Self::Authority(AuthorityError::Request(_)) => RefusalCode::SigningRequestInvalid,
            Self::Authority(_) => RefusalCode::ServerFault,
            Self::Refused(Refusal::JoinTokenOver(JoinTokenEnd::Expired)) => {
                RefusalCode::TokenExpired
            }
            Self::Refused(Refusal::JoinTokenOver(JoinTokenEnd::UsedUp)) => RefusalCode::TokenUsedUp,
            Self::Refused(_) => RefusalCode::StateRefused,
            Self::Unavailable(_) => RefusalCode::Unavailable,
        }
    }
}

impl From<SubmitError> for EnrolError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(refusal) => Self::Refused(refusal),
            SubmitError::Unavailable(reason) => Self::Unavailable(reason),
        }
    }
}

/// Whether a peer is registered: a removed one is not, however valid its certificate.
pub(super) fn is_registered(state: &State, peer: PeerId) -> bool {
    match peer {
        PeerId::Instance(id) => state.instance(id).is_some(),
        PeerId::Router(id) => state.router(id).is_some(),
    }
}

impl Shared {
    /// Registers the holder of a token as a peer.
    pub(super) async fn join(
        &self,
        request: JoinRequest,
        source: IpAddr,
    ) -> Result<CertificateResponse, EnrolError> {
        let JoinRequest { token, secret, role, request, hello } = request;
        let hello = clean::hello(hello);
        let known =
            self.state.borrow().join_token(token).cloned().ok_or(EnrolError::TokenUnknown)?;
        let text = JoinTokenText { fingerprint: String::new(), id: token, secret };
        if !text.proves(&known.hash) {
            return Err(EnrolError::TokenUnknown);
        }
        if known.role != role {
            return Err(EnrolError::TokenForOtherRole { token: known.role, given: role });
        }
        let now = self.clock.now();
        let (peer, register) = newcomer(&known, &hello, source, now, rand::random())?;
        let request = authority::read_request(&request).map_err(EnrolError::Authority)?;
        let certificate =
            self.authority.issue(peer, &request, now).map_err(EnrolError::Authority)?;
        (self.submit)(vec![AccessChange::UseJoinToken(token).into(), register]).await?;
        tracing::info!(peer = %peer, "`{}` joined as `{peer}`", hello.name);
        Ok(self.answer(certificate.der()))
    }

    /// Issues a new certificate for a peer's key.
    pub(super) fn renew(&self, request: &RenewRequest) -> Result<CertificateResponse, EnrolError> {
        let peer = self.own(request).ok_or(EnrolError::Foreign)?;
        let signed = authority::read_request(&request.request).map_err(EnrolError::Authority)?;
        let held = CertificateDer::from_pem_slice(request.certificate.as_bytes());
        let held =
            held.ok().and_then(|der| CertificateInfo::of(&der).ok()).ok_or(EnrolError::Foreign)?;
        if held.fingerprint != fingerprint(&signed.public_key.subject_public_key_info()) {
            return Err(EnrolError::Foreign);
        }
        if !is_registered(&self.state.borrow(), peer) {
            return Err(EnrolError::Removed(peer));
        }
        let now = self.clock.now();
        let certificate =
            self.authority.issue(peer, &signed, now).map_err(EnrolError::Authority)?;
        tracing::info!(peer = %peer, "renewed the certificate of `{peer}`");
        Ok(self.answer(certificate.der()))
    }

    /// Whose certificate this is, if our authority made it for a peer. Whether it has expired does not matter: it is
    /// checked as of its own first day.
    fn own(&self, request: &RenewRequest) -> Option<PeerId> {
        let certificate = CertificateDer::from_pem_slice(request.certificate.as_bytes()).ok()?;
        let info = CertificateInfo::of(&certificate).ok()?;
        let roots = Arc::new(tls::roots(self.authority.certificate()).ok()?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().ok()?;
        let then = UnixTime::since_unix_epoch(info.not_before.since(Timestamp::EPOCH));
        verifier.verify_client_cert(&certificate, &[], then).ok()?;
        info.peer().ok()
    }

    fn answer(&self, certificate: &CertificateDer<'_>) -> CertificateResponse {
        CertificateResponse {
            certificate: authority::pem_of(certificate),
            authority: self.authority.certificate_pem(),
        }
    }
}

/// A new peer, and the Change that registers it.
fn newcomer(
    token: &JoinToken,
    hello: &Hello,
    source: IpAddr,
    now: Timestamp,
    random: [u8; 10],
) -> Result<(PeerId, Change), EnrolError> {
    match token.role {
        PeerRole::Router => {
            let id = RouterId::new(now, random);
            let (name, version) = (hello.name.clone(), hello.version.clone());
            let router = Router { id, name, version, registered_at: now };
            Ok((PeerId::Router(id), RouterChange::Register(router).into()))
        }
        PeerRole::Agent => {
            let host = hello.host.clone().ok_or(EnrolError::HostMissing)?;
            let id = InstanceId::new(now, random);
            let instance = Instance {
                id,
                cluster: token.cluster.clone(),
                name: hello.name.clone(),
                status: InstanceStatus::Active,
                capacity: host.capacity,
                platform: host.platform,
                host: host.identity,
                advertised_address: address::of_newcomer(host.advertised_address, source),
                allowed_address: None,
                subnet: None,
                last_address: 0,
                last_port: 0,
                attributes: std::collections::BTreeMap::new(),
                suspended: false,
                disk_low: false,
                agent_version: hello.version.clone(),
                docker_version: host.docker_version,
                divides_limits: host.divides_limits,
                registered_at: now,
            };
            Ok((PeerId::Instance(id), InstanceChange::Register(instance).into()))
        }
    }
}
