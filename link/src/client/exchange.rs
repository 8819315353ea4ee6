//! One request and its response on a connection of its own: joining, and renewing a certificate.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use model::{Clock, PeerRole};
use rcgen::KeyPair;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::error::ClientError;
use super::identity::{self, Identity, Record};
use crate::message::{CertificateResponse, JoinRequest, RenewRequest};
use crate::refusal::{RefusalCode, Refused};
use crate::sentence::{self, Plain, plain};
use crate::tls::{self, SERVER_NAME};
use crate::token::JoinTokenText;

/// How long a connection and its handshake may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(15);
/// How often, and how far apart, joining tries to reach a server that does not answer yet.
const JOIN_TRIES: u32 = 20;
const JOIN_PAUSE: Duration = Duration::from_millis(500);
const ANSWER_BYTES: usize = 256 * 1024;

/// Joins and keeps the identity.
pub(super) async fn join(
    dir: &Path,
    server: &str,
    role: PeerRole,
    token: &JoinTokenText,
    hello: crate::message::Hello,
    clock: &Arc<dyn Clock>,
) -> Result<Identity, ClientError> {
    let set_up = |error: rcgen::Error| ClientError::Tls(error.into());
    let key = KeyPair::generate().map_err(set_up)?;
    let request = JoinRequest {
        token: token.id,
        secret: token.secret.clone(),
        role,
        request: identity::request(&key).map_err(set_up)?,
        hello,
    };
    let tls = tls::pinned(&token.fingerprint, Arc::clone(clock))
        .map_err(|error| ClientError::Tls(error.into()))?;
    let tls = Arc::new(tls);
    let mut tries = 0;
    let answer: CertificateResponse = loop {
        tries += 1;
        match exchange(server, Arc::clone(&tls), "/join", &request).await {
            Err(ClientError::Unreachable { source, .. }) if tries < JOIN_TRIES => {
                tracing::debug!(%source, "the server at `{}` does not answer yet", server);
                tokio::time::sleep(JOIN_PAUSE).await;
            }
            answered => break answered?,
        }
    };
    let record = Record {
        key: key.serialize_pem(),
        certificate: answer.certificate,
        authority: answer.authority,
    };
    let identity = Identity::save(dir, &record)?;
    tracing::info!("joined the server at `{}` as `{}`", server, identity.peer());
    Ok(identity)
}

/// Asks for a new certificate. Works with one that has expired: the key proves the peer, not its certificate.
pub(super) async fn renew(
    server: &str,
    tls: Arc<rustls::ClientConfig>,
    identity: &Identity,
) -> Result<(), ClientError> {
    let broken = |source| ClientError::Answer { server: server.to_owned(), source };
    let (certificate, request) = identity.renewal().map_err(broken)?;
    let renewal = RenewRequest { certificate, request };
    let answer: CertificateResponse = exchange(server, tls, "/renew", &renewal).await?;
    identity.renew(answer.certificate).map_err(broken)
}

/// A TLS connection to the server.
pub(super) async fn connect(
    server: &str,
    tls: Arc<rustls::ClientConfig>,
) -> Result<TlsStream<TcpStream>, ClientError> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, plain(Plain::TookTooLong));
    let unreachable = |source| ClientError::Unreachable { server: server.to_owned(), source };
    let socket = match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(server)).await {
        Ok(connected) => connected.map_err(unreachable)?,
        Err(_) => return Err(unreachable(late())),
    };
    socket.set_nodelay(true).map_err(unreachable)?;
    let name = ServerName::try_from(SERVER_NAME).expect("the fixed name is a DNS name");
    let handshake = TlsConnector::from(tls).connect(name, socket);
    match tokio::time::timeout(CONNECT_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(source)) if rustls_error(&source).is_some() => {
            Err(ClientError::WrongServer { server: server.to_owned(), source })
        }
        Ok(Err(source)) => Err(unreachable(source)),
        Err(_) => Err(unreachable(late())),
    }
}

/// The TLS error in the chain of an error, if there is one.
pub(super) fn rustls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

async fn exchange<A: DeserializeOwned>(
    server: &str,
    tls: Arc<rustls::ClientConfig>,
    path: &str,
    question: &impl Serialize,
) -> Result<A, ClientError> {
    let unreadable = |source: Box<dyn Error + Send + Sync>| ClientError::Answer {
        server: server.to_owned(),
        source,
    };
    let body = serde_json::to_vec(question).map_err(|error| unreadable(error.into()))?;
    let stream = connect(server, tls).await?;
    let asked = tokio::time::timeout(EXCHANGE_TIMEOUT, ask(stream, path, body)).await;
    let (status, bytes) = match asked {
        Ok(answered) => answered.map_err(unreadable)?,
        Err(elapsed) => return Err(unreadable(elapsed.into())),
    };
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|error| unreadable(error.into()));
    }
    let Refused { code, reason } = read_refusal(status, &bytes);
    if status.is_server_error() {
        let source = io::Error::other(reason);
        return Err(ClientError::Unreachable { server: server.to_owned(), source });
    }
    Err(ClientError::Refused { server: server.to_owned(), code, reason })
}

/// The refusal in an HTTP response other than a success.
pub(super) fn read_refusal(status: StatusCode, body: &[u8]) -> Refused {
    serde_json::from_slice(body).unwrap_or_else(|_| Refused {
        code: RefusalCode::Unspecified,
        reason: sentence::answers(status),
    })
}

async fn ask(
    stream: TlsStream<TcpStream>,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, Bytes), Box<dyn Error + Send + Sync>> {
    let request = Request::post(path)
        .header(header::HOST, SERVER_NAME)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let asking = async move {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES).collect().await?;
        Ok::<_, Box<dyn Error + Send + Sync>>((status, body.to_bytes()))
    };
    let (answer, ended) = tokio::join!(asking, connection);
    if let Err(error) = ended {
        tracing::debug!(%error, "the connection of `{path}` broke");
    }
    answer
}
