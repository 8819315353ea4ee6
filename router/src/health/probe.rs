//! One check of a target at one address.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, HOST, USER_AGENT};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use model::{HealthCheck, HealthCheckProtocol};
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::target::Way;

/// Why a check does not pass.
#[derive(Debug)]
pub(super) struct Fault {
    /// In words.
    pub(super) why: String,
    /// Whether the target itself has said so: it answered, or nothing listens there. What else a way may have wrong says
    /// little of the target.
    pub(super) is_answer: bool,
}

impl Fault {
    fn answer(why: String) -> Self {
        Self { why, is_answer: true }
    }

    fn of_the_way(why: String) -> Self {
        Self { why, is_answer: false }
    }
}

/// Whether the check passes, or why it does not.
pub(super) async fn probe(way: Way, check: &HealthCheck) -> Result<(), Fault> {
    let limit = Duration::from_secs(u64::from(check.timeout_seconds.max(1)));
    let attempt = async {
        let stream = connect(way).await?;
        match check.protocol {
            HealthCheckProtocol::Tcp => Ok(()),
            HealthCheckProtocol::Http => get(stream, way, check).await,
        }
    };
    let outcome = tokio::time::timeout(limit, attempt).await;
    outcome
        .unwrap_or_else(|_| Err(Fault::answer(format!("no answer within {} s", limit.as_secs()))))
}

async fn connect(way: Way) -> Result<TcpStream, Fault> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::ConnectionRefused {
            return Fault::answer(format!("nothing listens on port {}", way.address.port()));
        }
        Fault::of_the_way(format!("no connection to {}: {error}", way.address))
    };
    match tokio::time::timeout(way.patience, TcpStream::connect(way.address)).await {
        Ok(stream) => stream.map_err(failed),
        Err(_) => Err(Fault::of_the_way(format!("no connection to {} opens", way.address))),
    }
}

async fn get(stream: TcpStream, way: Way, check: &HealthCheck) -> Result<(), Fault> {
    let broken = |error: hyper::Error| {
        Fault::of_the_way(format!("the connection broke before an answer: {error}"))
    };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = http::Request::get(&check.path)
        .header(HOST, way.address.to_string())
        .header(USER_AGENT, "berth-router")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| Fault::of_the_way(error.to_string()))?;
    let status = sender.send_request(request).await.map_err(broken)?.status();
    if check.matcher.matches(status.as_u16()) {
        Ok(())
    } else {
        Err(Fault::answer(format!("answered {}, expected {}", status.as_u16(), check.matcher)))
    }
}
