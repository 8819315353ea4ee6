//! The path of plain HTTP/1.1 requests: one buffered write each way, connections to targets in a pool of its own, and nothing
//! per request that the request does not need. What it does not take (another protocol, HTTP/1.0, `Expect`) goes to pingora.
//!
//! It decides as that path does: the same rules, targets, waiting, retries and pages.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http1::Hop;
use httparse::{EMPTY_HEADER, Header};
use model::{TaskId, chain};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{Sleep, timeout};

use crate::deadline::Deadline;
use crate::group::{Group, NoTarget};
use crate::pages;
use crate::proxy::retry::{Attempt, Retries};
use crate::proxy::{HOLD, Proxy, RouteDecision};
use crate::request_id;
use crate::sentence::{request as request_sentence, routing};
use crate::target::InFlight;

pub(crate) mod answer;
mod body;
mod date;
mod exchange;
mod head;
mod pool;

use answer::Way;
use body::Body;
use exchange::{Broken, Client, Ended, Exchange, STALL, Terms};
use pool::Pool;

/// Fields of a request at most; those with more go to pingora.
pub(crate) const MOST_FIELDS: usize = 64;
/// How often a request may be sent to a target, all causes together.
const MOST_ATTEMPTS: u32 = 16;
/// Bytes that are drained at once.
const DRAIN_PIECE: usize = 16 * 1024;
/// Bytes that are read from a client whose request is held.
const MOST_HELD_BYTES: usize = 64 * 1024;
/// How long the unread rest of a request body is drained for, so that the connection can be reused.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves plain requests.
pub(crate) struct Lean {
    proxy: Proxy,
    pool: Pool,
}

/// A client's connection, in its parts.
pub(crate) struct Connection<'a> {
    pub(crate) read: ReadHalf<'a>,
    pub(crate) write: WriteHalf<'a>,
    /// What has come and is behind the head of the request.
    pub(crate) came: &'a mut BytesMut,
    pub(crate) client: Option<IpAddr>,
    pub(crate) stall: &'a mut Deadline,
    /// Whether it ends with this request anyway.
    pub(crate) is_last: bool,
}

/// What follows the head of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Follows {
    /// So many bytes.
    Sized(u64),
    /// Chunks.
    Chunked,
}

/// How a connection is once a request is served.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    /// Whether it can carry another.
    pub(crate) keeps: bool,
    /// Whether the request has been read to its end.
    pub(crate) is_read: bool,
}

/// What is known of a request.
struct Request<'a> {
    method: Method,
    method_text: &'a str,
    target: &'a str,
    fields: &'a [Header<'a>],
    id: String,
    wants_html: bool,
    /// Whether the client's connection ends with it.
    closes: bool,
}

impl Request<'_> {
    /// A page as a whole response.
    fn page(&self, status: StatusCode, sentence: &str, closes: bool) -> BytesMut {
        let page = pages::page(status, sentence, &self.id, self.wants_html);
        answer::page(&page, &self.way(closes))
    }

    /// The fixed response of a rule.
    fn fixed(&self, status: u16, content_type: &str, body: &str) -> BytesMut {
        answer::fixed(status, content_type, body, &self.way(self.closes))
    }

    fn way(&self, closes: bool) -> Way<'_> {
        Way { id: &self.id, closes, is_head: self.method == Method::HEAD }
    }
}

/// How an attempt failed.
enum Missed {
    /// The target has no address any more.
    Gone,
    /// No connection to it opens.
    Unopened(std::io::Error),
    /// The exchange failed, on a connection that had or had not carried other requests.
    Broken(Broken, bool),
}

/// Why a request has no response of a target.
enum Failure {
    /// The router's own answer; the connection ends with it.
    Page(StatusCode, String),
    /// A part of the response is with the client, or the client has gone: nothing more can be said.
    Silent,
}

impl Lean {
    pub(crate) fn new(proxy: Proxy) -> Self {
        Self { proxy, pool: Pool::default() }
    }

    /// Closes connections to targets that are not used, for as long as it is awaited.
    pub(crate) async fn sweep(&self) -> ! {
        self.pool.sweep().await
    }

    /// Serves a request.
    pub(crate) async fn serve(
        &self,
        mut connection: Connection<'_>,
        head: &Bytes,
        follows: Follows,
    ) -> Served {
        let mut fields = [EMPTY_HEADER; MOST_FIELDS];
        let mut parsed = httparse::Request::new(&mut fields);
        // The head was read strictly before: this finds where its parts are.
        if !parsed.parse(head).is_ok_and(|status| status.is_complete()) {
            return Served::default();
        }
        let (Some(method_text), Some(target)) = (parsed.method, parsed.path) else {
            return Served::default();
        };
        let Ok(method) = Method::from_bytes(method_text.as_bytes()) else {
            return Served::default();
        };
        let field =
            |name: &str| parsed.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        let accept = field("accept").and_then(|field| std::str::from_utf8(field.value).ok());
        let closing = self.proxy.closing.is_cancelled();
        let request = Request {
            method,
            method_text,
            target,
            id: request_id::of(field(request_id::HEADER).map(|field| field.value)),
            wants_html: pages::wants_html(accept),
            closes: connection.is_last || closing || Hop::of(parsed.headers).closes,
            fields: parsed.headers,
        };
        let host = field("host").map_or(&b""[..], |field| field.value);
        let mut body = match follows {
            Follows::Sized(length) => Body::sized(length),
            Follows::Chunked => Body::chunked(),
        };
        if body.learn(connection.came).is_err() {
            let page = (StatusCode::BAD_REQUEST, request_sentence::unreadable());
            self.fail(&mut connection, &request, page).await;
            return Served::default();
        }
        let keeps = match self.proxy.decide(host, request.target.as_bytes()) {
            RouteDecision::Answer(status, sentence) => {
                let answer = request.page(status, &sentence, request.closes);
                self.answer(&mut connection, &request, answer, &mut body).await
            }
            RouteDecision::Fixed { status, content_type, body: text } => {
                let answer = request.fixed(status, &content_type, &text);
                self.answer(&mut connection, &request, answer, &mut body).await
            }
            RouteDecision::Forward(group, forwarded) => {
                match self.forward(&mut connection, &request, &group, &forwarded, &mut body).await {
                    Ok(closes) => !closes && body.is_whole(),
                    Err(Failure::Page(status, sentence)) => {
                        self.fail(&mut connection, &request, (status, sentence)).await;
                        false
                    }
                    Err(Failure::Silent) => false,
                }
            }
        };
        body.skip(connection.came);
        Served { keeps, is_read: body.is_whole() }
    }

    /// Answers by itself; true if the connection can go on.
    async fn answer(
        &self,
        connection: &mut Connection<'_>,
        request: &Request<'_>,
        answer: BytesMut,
        body: &mut Body,
    ) -> bool {
        let written = timeout(STALL, connection.write.write_all(&answer)).await;
        if !matches!(written, Ok(Ok(()))) || request.closes {
            return false;
        }
        let drained = timeout(DRAIN_TIMEOUT, async {
            while !body.is_whole() {
                body.skip(connection.came);
                connection.came.reserve(DRAIN_PIECE);
                if connection.read.read_buf(connection.came).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                body.learn(connection.came).map_err(std::io::Error::other)?;
            }
            std::io::Result::Ok(())
        });
        matches!(drained.await, Ok(Ok(())))
    }

    /// Says what went wrong, and ends the connection.
    async fn fail(
        &self,
        connection: &mut Connection<'_>,
        request: &Request<'_>,
        (status, sentence): (StatusCode, String),
    ) {
        let answer = request.page(status, &sentence, true);
        timeout(STALL, connection.write.write_all(&answer)).await.ok();
    }

    /// Sends the request to targets of the group, one after the other as far as that can do no harm. Whether the client was
    /// told that its connection ends.
    async fn forward(
        &self,
        connection: &mut Connection<'_>,
        request: &Request<'_>,
        group: &Group,
        forwarded: &str,
        body: &mut Body,
    ) -> Result<bool, Failure> {
        let peer = connection.client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let says = head::Forwarded {
            method: request.method_text,
            target: forwarded,
            peer,
            port: self.proxy.port,
            trusted: &self.proxy.trusted,
            id: &request.id,
        };
        let head = head::request(&says, request.fields);
        let terms = Terms {
            head: &head,
            id: &request.id,
            is_head: request.method == Method::HEAD,
            closes: request.closes,
            closing: &self.proxy.closing,
        };
        let (mut tried, mut retries, mut hold) = (Vec::new(), Retries::default(), None);
        for _ in 0..MOST_ATTEMPTS {
            let target = self.target(connection, group, &tried, body, &mut hold).await?;
            let missed = match self.attempt(connection, &terms, &target, body).await {
                Ok(Ended { status, closes, .. }) => {
                    let (method, task) = (&request.method, target.target().task());
                    tracing::debug!(request.id = request.id, status, task.id = %task, "{method} {forwarded}");
                    return Ok(closes);
                }
                Err(missed) => missed,
            };
            let may_go_on = match &missed {
                Missed::Gone => {
                    group.eject(target.target());
                    return Err(no_target(NoTarget::Late));
                }
                Missed::Unopened(error) => !is_own(error),
                Missed::Broken(broken, reused) => retries.allow(&Attempt {
                    method: &request.method,
                    is_reset: matches!(broken, Broken::Reset),
                    is_replayable: body.is_replayable(),
                    reused: *reused,
                }),
            };
            if !may_go_on {
                return Err(failure(&missed, request, &target));
            }
            if matches!(missed, Missed::Unopened(_)) {
                group.eject(target.target());
            }
            body.rewind();
            tried.push(target.target().task());
        }
        Err(Failure::Page(StatusCode::BAD_GATEWAY, routing::target_broke_off()))
    }

    /// Sends it to one target.
    async fn attempt(
        &self,
        connection: &mut Connection<'_>,
        terms: &Terms<'_>,
        target: &InFlight,
        body: &mut Body,
    ) -> Result<Ended, Missed> {
        // A new view may have removed its last address since it was picked.
        let endpoint = target.target().endpoint().ok_or(Missed::Gone)?;
        let opened = self.pool.connect(endpoint, target.target().pool()).await;
        let mut upstream = opened.map_err(Missed::Unopened)?;
        let client = Client {
            read: &mut connection.read,
            write: &mut connection.write,
            came: &mut *connection.came,
            body,
            stall: &mut *connection.stall,
        };
        let ended = Exchange::new(client, upstream.tcp.split(), terms).run().await;
        let ended = ended.map_err(|broken| Missed::Broken(broken, upstream.is_reused))?;
        if ended.is_reusable {
            self.pool.keep(upstream);
        }
        Ok(ended)
    }

    /// The next target for the request, which may be held until there is one.
    async fn target(
        &self,
        connection: &mut Connection<'_>,
        group: &Group,
        tried: &[TaskId],
        body: &mut Body,
        hold: &mut Option<Pin<Box<Sleep>>>,
    ) -> Result<InFlight, Failure> {
        if let Some(target) = group.pick(tried) {
            return Ok(target);
        }
        let late = hold.get_or_insert_with(|| Box::pin(tokio::time::sleep(HOLD)));
        let waiting = group.wait(tried);
        tokio::pin!(waiting);
        loop {
            // A client that goes on with its body is not listened to meanwhile.
            let listens = body.is_whole() && connection.came.len() < MOST_HELD_BYTES;
            tokio::select! {
                biased;
                target = &mut waiting => return target.map_err(no_target),
                () = &mut *late => return Err(no_target(NoTarget::Late)),
                read = connection.read.read_buf(connection.came), if listens => match read {
                    Ok(0) if connection.came.len() > body.known_bytes() => {
                        // One that has sent another request still waits for its responses.
                        tokio::select! {
                            target = waiting => return target.map_err(no_target),
                            () = late => return Err(no_target(NoTarget::Late)),
                        }
                    }
                    Ok(0) | Err(_) => return Err(Failure::Silent),
                    Ok(_) => {}
                },
            }
        }
    }
}

fn no_target(why: NoTarget) -> Failure {
    Failure::Page(StatusCode::SERVICE_UNAVAILABLE, why.to_string())
}

/// Whether a connection could not be made for want of something of this host's own.
fn is_own(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
    error.raw_os_error().is_some_and(|code| own.iter().any(|errno| errno.raw_os_error() == code))
}

/// What is said of a failure, and logged where it is a target's or the router's.
fn failure(missed: &Missed, request: &Request<'_>, target: &InFlight) -> Failure {
    let (method, asked, task) = (&request.method, request.target, target.target().task());
    let (status, sentence, why) = match missed {
        Missed::Gone => return no_target(NoTarget::Late),
        Missed::Unopened(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, routing::router_failed(), error.to_string())
        }
        Missed::Broken(broken, _) => {
            let (status, sentence) = match broken {
                Broken::Reset | Broken::Response(_) => {
                    (StatusCode::BAD_GATEWAY, routing::target_broke_off())
                }
                Broken::TargetStalled => (StatusCode::GATEWAY_TIMEOUT, routing::target_slow()),
                Broken::ClientStalled => (StatusCode::REQUEST_TIMEOUT, request_sentence::slow()),
                Broken::Chunks(_) => (StatusCode::BAD_REQUEST, request_sentence::unreadable()),
                Broken::Cut | Broken::ClientGone => {
                    tracing::debug!(request.id = request.id, task.id = %task, "{method} {asked}: {broken}");
                    return Failure::Silent;
                }
            };
            (status, sentence, chain(broken))
        }
    };
    if status.is_server_error() {
        let code = status.as_u16();
        tracing::warn!(request.id = request.id, status = code, task.id = %task, "{method} {asked} failed: {why}");
    }
    Failure::Page(status, sentence)
}
