//! TLS on the connections of the link, and the peer that each request comes from.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Extensions;
use listener::Prepare;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::certificate::{CertificateInfo, PeerId};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The peer whose certificate a connection has presented, if any. In every request's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct PresentedPeer(pub(super) Option<PeerId>);

/// Does TLS.
#[derive(Clone)]
pub(super) struct Tls(pub(super) TlsAcceptor);

impl Tls {
    pub(super) fn new(config: rustls::ServerConfig) -> Self {
        Self(TlsAcceptor::from(Arc::new(config)))
    }
}

impl Prepare for Tls {
    type Stream = TlsStream<TcpStream>;

    async fn prepare(&self, socket: TcpStream) -> Option<(Self::Stream, Extensions)> {
        let stream = match timeout(HANDSHAKE_TIMEOUT, self.0.accept(socket)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "refused a TLS handshake on the link");
                return None;
            }
            Err(_) => {
                tracing::debug!("a TLS handshake on the link took too long");
                return None;
            }
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let peer = certificate.and_then(|der| CertificateInfo::of(der).ok()?.peer().ok());
        let mut extensions = Extensions::new();
        extensions.insert(PresentedPeer(peer));
        Some((stream, extensions))
    }
}
