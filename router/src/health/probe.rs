//! One check of a target at one address.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use model::observed::CheckFailure;
use model::{HealthCheck, HealthCheckProtocol};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::sentence::check as sentence;
use crate::target::Endpoint;

/// Why a check did not pass.
#[derive(Debug)]
pub(super) struct ProbeError {
    /// A sentence for people.
    pub(super) why: String,
    /// Whether the target itself caused it: it answered, or refused the connection. Other failures may be the network's.
    pub(super) is_answer: bool,
    /// How it failed.
    pub(super) failure: CheckFailure,
}

impl ProbeError {
    fn answer(failure: CheckFailure, why: String) -> Self {
        Self { why, is_answer: true, failure }
    }

    fn network(failure: CheckFailure, why: String) -> Self {
        Self { why, is_answer: false, failure }
    }
}

/// Whether the check passes, or why it does not.
pub(super) async fn probe(endpoint: Endpoint, check: &HealthCheck) -> Result<(), ProbeError> {
    let limit = Duration::from_secs(u64::from(check.timeout_seconds.max(1)));
    let attempt = async {
        let stream = connect(endpoint).await?;
        match check.protocol {
            HealthCheckProtocol::Tcp => Ok(()),
            HealthCheckProtocol::Http => get(stream, endpoint, check).await,
        }
    };
    let outcome = tokio::time::timeout(limit, attempt).await;
    outcome.unwrap_or_else(|_| {
        Err(ProbeError::answer(CheckFailure::NoAnswer, sentence::no_answer(limit.as_secs())))
    })
}

async fn connect(endpoint: Endpoint) -> Result<TcpStream, ProbeError> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            return ProbeError::answer(
                CheckFailure::Refused,
                sentence::refused(endpoint.address.port()),
            );
        }
        ProbeError::network(
            CheckFailure::Unreachable,
            sentence::no_connection(endpoint.address, &error),
        )
    };
    match tokio::time::timeout(endpoint.connect_timeout, TcpStream::connect(endpoint.address)).await
    {
        Ok(stream) => stream.map_err(failed),
        Err(_) => Err(ProbeError::network(
            CheckFailure::Unreachable,
            sentence::connection_late(endpoint.address),
        )),
    }
}

async fn get(stream: TcpStream, endpoint: Endpoint, check: &HealthCheck) -> Result<(), ProbeError> {
    let broken = |error: hyper::Error| {
        ProbeError::network(CheckFailure::Broken, sentence::connection_broke(&error))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = http::Request::get(&check.path)
        .header(HOST, check.host.clone().unwrap_or_else(|| endpoint.address.to_string()))
        .header(USER_AGENT, "berth-router")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| ProbeError::network(CheckFailure::Broken, error.to_string()))?;
    let status = sender.send_request(request).await.map_err(broken)?.status();
    if check.matcher.matches(status.as_u16()) {
        Ok(())
    } else {
        let failure = match status {
            StatusCode::SERVICE_UNAVAILABLE => CheckFailure::NotReady,
            _ => CheckFailure::WrongStatus,
        };
        Err(ProbeError::answer(failure, sentence::wrong_status(status.as_u16(), &check.matcher)))
    }
}
