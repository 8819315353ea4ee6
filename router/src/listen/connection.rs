//! One client's connection: request after request, each read strictly and in bounded time, then handed to pingora.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::apps::HttpServerApp as _;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;
use tokio_util::sync::CancellationToken;

use super::gate::Gate;
use super::head::{self, Body, Head, Refusal};
use crate::proxy::Proxy;
use crate::{pages, request_id};

/// How long a connection may be idle.
const IDLE: Duration = Duration::from_mins(1);
/// How long a head may take to come from its first byte on.
const HEAD: Duration = Duration::from_secs(10);
/// How many requests a connection may carry.
const MOST_REQUESTS: u32 = 10_000;
/// How long a client may take to send or take a piece of a body.
const BODY: Duration = Duration::from_mins(1);
/// How long the rest of a body that nobody wants is read for.
const REST: Duration = Duration::from_secs(5);
/// How long a tunnel may be without a byte from the client.
pub(crate) const TUNNEL: Duration = Duration::from_hours(1);
/// How long after the begin of shutdown an idle connection still takes a request, so that none is lost that was on its way.
const LINGER: Duration = Duration::from_millis(500);
/// How long after the begin of shutdown tunnels may end by themselves.
const TUNNEL_END: Duration = Duration::from_secs(2);
/// How long last words may take.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What serves connections.
#[derive(Clone)]
pub(super) struct Server {
    /// pingora's proxy.
    pub(super) app: Arc<HttpProxy<Proxy>>,
    /// In pingora's form, whether shutdown has begun.
    pub(super) watch: ShutdownWatch,
    /// Shutdown has begun.
    pub(super) closing: CancellationToken,
}

/// What a client does next.
enum Next {
    Request(Head),
    Refused(Refusal),
    End,
}

impl Server {
    /// Serves a connection until it ends.
    pub(super) async fn serve(self, mut gate: Gate) {
        for number in 1..=MOST_REQUESTS {
            match self.next(&mut gate).await {
                Next::Request(head) => {
                    let Some(back) = self.request(gate, head, number == MOST_REQUESTS).await else {
                        return;
                    };
                    gate = back;
                }
                Next::Refused(refusal) => return refuse(gate, &refusal).await,
                Next::End => return,
            }
        }
    }

    /// Waits for the next request.
    async fn next(&self, gate: &mut Gate) -> Next {
        if gate.next_request().is_empty() {
            let first = tokio::select! {
                biased;
                first = tokio::time::timeout(IDLE, gate.more()) => first,
                () = after(&self.closing, LINGER) => return Next::End,
            };
            if !matches!(first, Ok(Ok(true))) {
                return Next::End;
            }
        }
        match tokio::time::timeout(HEAD, whole(gate)).await {
            Ok(Ok(next)) => next,
            Ok(Err(error)) => {
                tracing::trace!(%error, "a client was gone first");
                Next::End
            }
            Err(_) => Next::Refused(Refusal::Slow),
        }
    }

    /// Has a request served; gives the connection back if it can carry another.
    async fn request(&self, mut gate: Gate, head: Head, is_last: bool) -> Option<Gate> {
        let prefix = gate.open(head);
        let mut session = ServerSession::new_http1(Box::new(gate));
        session.set_pipelined_prefix(prefix);
        session.set_keepalive_reuses_remaining(is_last.then_some(0));
        let is_tunnel = head.body == Body::Tunnel;
        session.set_read_timeout(Some(if is_tunnel { TUNNEL } else { BODY }));
        session.set_write_timeout(Some(BODY));
        session.set_total_drain_timeout(Some(REST));
        let served = self.app.process_new_http(session, &self.watch);
        let back = if is_tunnel {
            tokio::select! {
                back = served => back,
                () = after(&self.closing, TUNNEL_END) => None,
            }
        } else {
            served.await
        };
        let (stream, _settings) = back?.consume();
        stream.into_any().downcast::<Gate>().ok().map(|gate| *gate)
    }
}

/// Reads until the head is whole.
async fn whole(gate: &mut Gate) -> io::Result<Next> {
    loop {
        match head::read(gate.next_request()) {
            Ok(Some(head)) => return Ok(Next::Request(head)),
            Ok(None) => {}
            Err(refusal) => return Ok(Next::Refused(refusal)),
        }
        if !gate.more().await? {
            return Ok(Next::End);
        }
    }
}

async fn refuse(gate: Gate, refusal: &Refusal) {
    let id = request_id::fresh();
    tracing::debug!(request.id = id, %refusal, "refused a request");
    let page = pages::page(refusal.status(), &refusal.to_string(), &id, false);
    match tokio::time::timeout(LAST_WORDS, gate.close(&page.last_words(&id))).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::trace!(%error, "a client was gone first"),
    }
}

async fn after(closing: &CancellationToken, grace: Duration) {
    closing.cancelled().await;
    tokio::time::sleep(grace).await;
}
