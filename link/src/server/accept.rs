//! Accepts connections, does TLS, and marks the requests on each with the peer that they come from.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::certificate::{CertificateInfo, PeerId};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than the 30 s for which peers keep idle connections, so that the peer closes them and no request is lost.
const HEADER_TIMEOUT: Duration = Duration::from_mins(1);
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The peer whose certificate a connection has presented, if any. In every request's extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct PresentedPeer(pub(super) Option<PeerId>);

/// Accepts until shutdown, then waits a moment for what is under way.
pub(super) async fn run(
    listener: TcpListener,
    tls: TlsAcceptor,
    app: Router,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => {
                tasks.spawn(connection(socket, tls.clone(), app.clone(), shutdown.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection on the link");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    tasks.close();
    if timeout(SHUTDOWN_TIMEOUT, tasks.wait()).await.is_err() {
        tracing::info!("left {} connections of the link open at the end", tasks.len());
    }
}

async fn connection(socket: TcpStream, tls: TlsAcceptor, app: Router, shutdown: CancellationToken) {
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set up a connection of the link");
    }
    let stream = match timeout(HANDSHAKE_TIMEOUT, tls.accept(socket)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%error, "refused a TLS handshake on the link"),
        Err(_) => return tracing::debug!("a TLS handshake on the link took too long"),
    };
    let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let peer = certificate.and_then(|der| CertificateInfo::of(der).ok()?.peer().ok());
    let service = app.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PresentedPeer(peer));
        request.map(axum::body::Body::new)
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    let serving = http
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match timeout(SHUTDOWN_TIMEOUT, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of the link broke");
    }
}
