//! What happens to a request between client and target, in pingora's phases.
//!
//! The rule is found once; the target is picked anew for each attempt. A request that was never sent goes to another
//! target whatever its method; one that was sent is sent again only if that can do no harm. An answer that has begun is
//! never begun again.

use std::sync::Arc;

use async_trait::async_trait;
use http::{HeaderValue, StatusCode, Version, header};
use ipnet::IpNet;
use model::Action;
use pingora_core::modules::http::HttpModules;
use pingora_core::protocols::http::ServerSession;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use tokio_util::sync::CancellationToken;

use crate::group::{Group, NoTarget};
use crate::pages;
use crate::request_id;
use crate::routes::Routes;
use crate::sentence::routing;
use crate::target::InFlight;

mod answer;
mod context;
pub(crate) mod forward;
mod peer;
pub(crate) mod retry;

use context::Context;
pub(crate) use peer::TUNNEL_IDLE_TIMEOUT;
use retry::Attempt;

/// How long a request may wait for a target.
pub(crate) const HOLD: std::time::Duration = std::time::Duration::from_secs(30);
/// A failure whose cause is in the context of the request.
const NO_TARGET: ErrorType = ErrorType::HTTPStatus(503);

/// Serves requests by the table in [`Routes`].
#[derive(Debug, Clone)]
pub(crate) struct Proxy {
    /// The table and its target groups.
    pub(crate) routes: Arc<Routes>,
    /// Shutdown has begun.
    pub(crate) closing: CancellationToken,
    /// The port of the listener.
    pub(crate) port: u16,
    /// The proxies before it whose word on clients counts.
    pub(crate) trusted: Arc<[IpNet]>,
}

/// What the table decides for a request.
pub(crate) enum RouteDecision {
    /// To a target of the group, with this path and query.
    Forward(Arc<Group>, String),
    Answer(StatusCode, String),
    Fixed {
        status: u16,
        content_type: String,
        body: String,
    },
}

impl Proxy {
    /// Decides what to do with a request for this host and target, as they came.
    pub(crate) fn decide(&self, host: &[u8], target: &[u8]) -> RouteDecision {
        let request = match forward::RequestTarget::read(host, target) {
            Ok(request) => request,
            Err(bad) => return RouteDecision::Answer(StatusCode::BAD_REQUEST, bad.to_string()),
        };
        let serving = self.routes.serving();
        if !serving.is_known() {
            let sentence = routing::no_table();
            return RouteDecision::Answer(StatusCode::SERVICE_UNAVAILABLE, sentence);
        }
        let Some(rule) = serving.find(&request.host, &request.path) else {
            let sentence = routing::no_rule(&request.host, &request.path);
            return RouteDecision::Answer(StatusCode::NOT_FOUND, sentence);
        };
        match &rule.action {
            Action::Forward { target_group } => {
                let Some(group) = serving.group(*target_group) else {
                    let sentence = routing::no_group();
                    return RouteDecision::Answer(StatusCode::SERVICE_UNAVAILABLE, sentence);
                };
                RouteDecision::Forward(Arc::clone(group), request.forwarded())
            }
            Action::FixedResponse { status, content_type, body } => RouteDecision::Fixed {
                status: *status,
                content_type: content_type.clone(),
                body: body.clone(),
            },
        }
    }

    /// The next target for the request, which may be held until there is one.
    async fn target(
        session: &mut Session,
        group: &Group,
        context: &mut Context,
    ) -> Result<InFlight, Option<NoTarget>> {
        if let Some(target) = group.pick(&context.tried) {
            return Ok(target);
        }
        let hold_timeout =
            context.hold_timeout.get_or_insert_with(|| Box::pin(tokio::time::sleep(HOLD)));
        let watch = session.is_body_empty();
        tokio::select! {
            biased;
            target = group.wait(&context.tried) => target.map_err(Some),
            () = hold_timeout => Err(Some(NoTarget::Late)),
            // Reading would consume the body, so a close is watched for only when there is none.
            _gone = session.downstream_session.read_body_or_idle(true), if watch => Err(None),
        }
    }
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        Context::default()
    }

    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, context: &mut Context) -> Result<bool> {
        let header = session.req_header();
        context.id =
            request_id::of(header.headers.get(request_id::HEADER).map(HeaderValue::as_bytes));
        let accept = header.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        context.html = pages::wants_html(accept);
        context.method = header.method.clone();
        let upgrade = header.headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
        context.is_tunnel = upgrade.is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"));
        if self.closing.is_cancelled() {
            session.set_keepalive(None);
        }
        let header = session.req_header();
        let host = header.headers.get(header::HOST).map(HeaderValue::as_bytes);
        match self.decide(host.unwrap_or_default(), header.raw_path()) {
            RouteDecision::Forward(group, forwarded) => {
                (context.group, context.forwarded) = (Some(group), forwarded);
                Ok(false)
            }
            RouteDecision::Answer(status, sentence) => {
                answer::page(session, context, status, &sentence).await?;
                Ok(true)
            }
            RouteDecision::Fixed { status, content_type, body } => {
                answer::fixed(session, context, status, &content_type, body).await?;
                Ok(true)
            }
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> Result<Box<HttpPeer>> {
        context.target = None;
        let group = context.group.clone();
        let group = group.ok_or_else(|| Error::explain(ErrorType::InternalError, "no group"))?;
        let target = match Self::target(session, &group, context).await {
            Ok(target) => target,
            Err(Some(why)) => {
                context.no_target = Some(why);
                return Error::err_in(NO_TARGET);
            }
            Err(None) => return Error::err_down(ErrorType::ConnectionClosed),
        };
        let Some(endpoint) = target.target().endpoint() else {
            // A new view has removed its last address since it was picked.
            group.eject(target.target());
            context.no_target = Some(NoTarget::Late);
            return Error::err_in(NO_TARGET);
        };
        let peer = peer::to(endpoint, target.target().pool(), context.is_tunnel);
        context.target = Some(target);
        Ok(Box::new(peer))
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        context: &mut Context,
        mut error: Box<Error>,
    ) -> Box<Error> {
        let is_targets = !matches!(
            error.etype(),
            ErrorType::InternalError | ErrorType::SocketError | ErrorType::BindError
        );
        if let (Some(group), Some(target)) = (&context.group, context.target.take()) {
            context.tried.push(target.target().task());
            if is_targets {
                group.eject(target.target());
            }
        }
        error.set_retry(is_targets && !session.as_ref().retry_buffer_truncated());
        error
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        context: &mut Context,
    ) -> Result<()> {
        let client = session.client_addr().and_then(|address| address.as_inet());
        let client = client.map(std::net::SocketAddr::ip);
        forward::rewrite(request, context, client, self.port, &self.trusted)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Context,
        reused: bool,
    ) -> Box<Error> {
        let attempt = Attempt {
            method: &context.method,
            is_reset: *error.esource() == ErrorSource::Upstream
                && retry::is_reset(error.etype())
                && !is_answered(session),
            is_replayable: !session.as_ref().retry_buffer_truncated(),
            reused,
        };
        let again = context.retries.allow(&attempt);
        if let Some(target) = context.target.as_ref().filter(|_| again) {
            context.tried.push(target.target().task());
        }
        error.set_retry(again);
        error
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut Context,
    ) -> Result<()> {
        response.insert_header(request_id::HEADER, context.id.as_str())?;
        response.remove_header("keep-alive");
        response.remove_header("proxy-connection");
        if session.req_header().version == Version::HTTP_10 {
            // HTTP/1.0 has no chunks: the response ends with the connection.
            response.remove_header(&header::TRANSFER_ENCODING);
        }
        if self.closing.is_cancelled() && !response.status.is_informational() {
            session.set_keepalive(None);
        }
        Ok(())
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Context,
    ) -> FailToProxy {
        let done = |error_code| FailToProxy { error_code, can_reuse_downstream: false };
        let Some((status, sentence)) = answer::failure(error, context) else { return done(0) };
        answer::log(status, error, context);
        if is_answered(session) {
            return done(status.as_u16());
        }
        session.set_keepalive(None);
        if let Err(error) = answer::page(session, context, status, &sentence).await {
            tracing::trace!(%error, "the client had already closed");
            return done(0);
        }
        done(status.as_u16())
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, context: &mut Context) {
        // The request no longer counts as in flight, whatever the client's connection does next.
        let target = context.target.take().map(|target| target.target().task());
        tracing::debug!(
            request.id = context.id,
            status = session.response_written().map(|response| response.status.as_u16()),
            task.id = target.map(|task| task.to_string()),
            error = error.map(ToString::to_string),
            "{} {}",
            context.method,
            context.forwarded,
        );
    }

    fn suppress_error_log(&self, _session: &Session, _context: &Context, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _context: &Context,
        _error: &Error,
        _when: ProxyWarnLogContext,
    ) -> bool {
        true
    }
}

/// Whether a response has begun.
fn is_answered(session: &Session) -> bool {
    let session: &ServerSession = session.as_ref();
    session.response_written().is_some_and(|response| {
        !response.status.is_informational() || response.status == StatusCode::SWITCHING_PROTOCOLS
    })
}
