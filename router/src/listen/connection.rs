//! One client's connection: request after request, each read strictly and in bounded time, then handed to pingora.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use pingora_core::apps::HttpServerApp as _;
use pingora_core::protocols::http::ServerSession;
use pingora_core::server::ShutdownWatch;
use pingora_proxy::HttpProxy;

use super::guarded_stream::GuardedStream;
use super::head::{self, Body, Head, HeadError};
use crate::deadline::{self, Deadline};
use crate::generation::{Closing, Grace};
use crate::lean::answer::{self, Way};
use crate::lean::{self, Follows, Lean};
use crate::proxy::{Proxy, TUNNEL_IDLE_TIMEOUT};
use crate::{pages, request_id};

/// How long a connection may be idle.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a head may take to come from its first byte on.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How many requests a connection may carry.
const MAX_REQUESTS: u32 = 10_000;
/// How long a client may stall in the middle of a body, either way.
const BODY_TIMEOUT: Duration = Duration::from_mins(1);
/// How long the unread rest of a request body is drained for, so that the connection can be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection still takes a request once the router closes, so that a request that was already under way
/// is not lost. The answer says that the connection is closed; where the next process serves, a client that uses it often
/// hears that before it is cut.
const KEEPALIVE_GRACE: Grace =
    Grace { ended: Duration::from_millis(500), relieved: Duration::from_secs(5) };
/// How long tunnels may end by themselves once the router closes.
const TUNNEL_GRACE: Grace =
    Grace { ended: Duration::from_secs(2), relieved: Duration::from_secs(29) };
/// How long writing a final response and closing may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What serves connections.
pub(super) struct Server {
    /// What serves plain requests.
    pub(super) lean: Arc<Lean>,
    /// Whether it does.
    pub(super) is_lean: bool,
    /// pingora's proxy, for all others.
    pub(super) app: Arc<HttpProxy<Proxy>>,
    /// Whether shutdown has begun, in pingora's form.
    pub(super) watch: ShutdownWatch,
    /// How the router closes.
    pub(super) closing: Closing,
}

/// What came next on a connection.
enum Next {
    Request(Head),
    Invalid(HeadError),
    End,
}

impl Server {
    /// Serves a connection until it ends.
    pub(super) async fn serve(self: Arc<Self>, mut stream: GuardedStream) {
        let mut deadline = Deadline::default();
        let mut closed = pin!(self.closing.after(KEEPALIVE_GRACE));
        for number in 1..=MAX_REQUESTS {
            match next(&mut stream, &mut deadline, closed.as_mut()).await {
                Next::Request(head) if self.takes(head) => {
                    let is_last = number == MAX_REQUESTS;
                    // In a box: what a request needs is not held while the connection is idle.
                    let served = self.lean(&mut stream, head, &mut deadline, is_last);
                    if !Box::pin(served).await {
                        return;
                    }
                }
                Next::Request(head) => {
                    let served = self.request(stream, head, number == MAX_REQUESTS);
                    let Some(back) = Box::pin(served).await else { return };
                    stream = back;
                }
                Next::Invalid(error) => return reject(stream, &error).await,
                Next::End => return,
            }
        }
    }

    /// Whether a request takes the short path.
    fn takes(&self, head: Head) -> bool {
        self.is_lean && head.is_plain && head.fields <= lean::MOST_FIELDS
    }

    /// Serves a plain request; true if the connection can carry another.
    async fn lean(
        &self,
        stream: &mut GuardedStream,
        head: Head,
        deadline: &mut Deadline,
        is_last: bool,
    ) -> bool {
        let follows = match head.body {
            Body::Sized(length) => Follows::Sized(length),
            Body::Chunked => Follows::Chunked,
            Body::Tunnel => return false,
        };
        let head = stream.take_head(head);
        let client = stream.client();
        let (read, write, came) = stream.parts();
        let connection = lean::Connection { read, write, came, client, stall: deadline, is_last };
        let served = self.lean.serve(connection, &head, follows).await;
        if served.is_read {
            stream.complete();
        }
        served.keeps
    }

    /// Serves a request; returns the connection if it can carry another.
    async fn request(
        &self,
        mut stream: GuardedStream,
        head: Head,
        is_last: bool,
    ) -> Option<GuardedStream> {
        let prefix = stream.open(head);
        let mut session = ServerSession::new_http1(Box::new(stream));
        session.set_pipelined_prefix(prefix);
        session.set_keepalive_reuses_remaining(is_last.then_some(0));
        let is_tunnel = head.body == Body::Tunnel;
        session.set_read_timeout(Some(if is_tunnel { TUNNEL_IDLE_TIMEOUT } else { BODY_TIMEOUT }));
        session.set_write_timeout(Some(BODY_TIMEOUT));
        session.set_total_drain_timeout(Some(DRAIN_TIMEOUT));
        let served = self.app.process_new_http(session, &self.watch);
        let back = if is_tunnel {
            tokio::select! {
                back = served => back,
                () = self.closing.after(TUNNEL_GRACE) => None,
            }
        } else {
            served.await
        };
        let (stream, _settings) = back?.consume();
        let mut stream = stream.into_any().downcast::<GuardedStream>().ok()?;
        stream.complete();
        Some(*stream)
    }
}

/// Waits for the next request.
async fn next(
    stream: &mut GuardedStream,
    deadline: &mut Deadline,
    mut closed: Pin<&mut impl Future<Output = ()>>,
) -> Next {
    if stream.next_request().is_empty() {
        let due = deadline::now() + IDLE_TIMEOUT;
        let first = poll_fn(|cx| {
            if let Poll::Ready(first) = stream.poll_first(cx) {
                return Poll::Ready(first.unwrap_or(false));
            }
            if closed.as_mut().poll(cx).is_ready() || deadline.poll(cx, due).is_ready() {
                return Poll::Ready(false);
            }
            Poll::Pending
        });
        if !first.await {
            return Next::End;
        }
    }
    match tokio::time::timeout(HEAD_TIMEOUT, whole(stream)).await {
        Ok(Ok(next)) => next,
        Ok(Err(error)) => {
            tracing::trace!(%error, "the client had already closed");
            Next::End
        }
        Err(_) => Next::Invalid(HeadError::Slow),
    }
}

/// Reads until the head is whole.
async fn whole(stream: &mut GuardedStream) -> io::Result<Next> {
    loop {
        match head::read(stream.next_request()) {
            Ok(Some(head)) => return Ok(Next::Request(head)),
            Ok(None) => {}
            Err(error) => return Ok(Next::Invalid(error)),
        }
        if !stream.more().await? {
            return Ok(Next::End);
        }
    }
}

async fn reject(stream: GuardedStream, error: &HeadError) {
    let id = request_id::fresh();
    tracing::debug!(request.id = id, %error, "refused a request");
    let page = pages::page(error.status(), &error.to_string(), &id, false);
    let answer = answer::page(&page, &Way { id: &id, closes: true, is_head: false });
    match tokio::time::timeout(CLOSE_TIMEOUT, stream.close(&answer)).await {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => tracing::trace!(%error, "the client had already closed"),
    }
}
