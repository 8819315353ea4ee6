//! What the router answers by itself.

use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use pingora_core::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use super::context::Context;
use crate::sentence::{request, routing};
use crate::{pages, request_id};

/// Answers with a page that explains what is wrong.
pub(super) async fn page(
    session: &mut Session,
    context: &Context,
    status: StatusCode,
    sentence: &str,
) -> Result<()> {
    let page = pages::page(status, sentence, &context.id, context.html);
    let mut response = response(page.status.as_u16(), context, page.content_type)?;
    response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))?;
    if let Some(secs) = page.retry_after {
        response.insert_header(header::RETRY_AFTER, HeaderValue::from(secs))?;
    }
    send(session, context, response, page.body).await
}

/// Answers with the fixed response of a rule.
pub(super) async fn fixed(
    session: &mut Session,
    context: &Context,
    status: u16,
    content_type: &str,
    body: String,
) -> Result<()> {
    let response = response(status, context, content_type)?;
    send(session, context, response, body).await
}

fn response(status: u16, context: &Context, content_type: &str) -> Result<ResponseHeader> {
    let mut response = ResponseHeader::build(status, Some(6))?;
    if !content_type.is_empty() {
        response.insert_header(header::CONTENT_TYPE, content_type)?;
    }
    response.insert_header(request_id::HEADER, context.id.as_str())?;
    Ok(response)
}

async fn send(
    session: &mut Session,
    context: &Context,
    mut response: ResponseHeader,
    body: String,
) -> Result<()> {
    let is_bare = response.status == StatusCode::NO_CONTENT;
    if !is_bare {
        response.set_content_length(body.len())?;
    }
    let has_body = !is_bare && !body.is_empty() && context.method != Method::HEAD;
    session.write_response_header(Box::new(response), !has_body).await?;
    if has_body {
        session.write_response_body(Some(Bytes::from(body)), true).await?;
    }
    Ok(())
}

/// Status and sentence for a failure; None where the client has closed.
pub(super) fn failure(error: &Error, context: &Context) -> Option<(StatusCode, String)> {
    if let Some(why) = context.no_target {
        return Some((StatusCode::SERVICE_UNAVAILABLE, why.to_string()));
    }
    let (status, sentence) = match (error.esource(), error.etype()) {
        (ErrorSource::Upstream, ErrorType::ReadTimedout | ErrorType::WriteTimedout) => {
            (StatusCode::GATEWAY_TIMEOUT, routing::target_slow())
        }
        (ErrorSource::Upstream, _) => (StatusCode::BAD_GATEWAY, routing::target_broke_off()),
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => {
            (StatusCode::REQUEST_TIMEOUT, request::slow())
        }
        (
            ErrorSource::Downstream,
            ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::WriteTimedout
            | ErrorType::ConnectionClosed,
        ) => return None,
        (ErrorSource::Downstream, _) => (StatusCode::BAD_REQUEST, request::unreadable()),
        (ErrorSource::Internal | ErrorSource::Unset, _) => {
            (StatusCode::INTERNAL_SERVER_ERROR, routing::router_failed())
        }
    };
    Some((status, sentence))
}

/// Logs a failure that is the router's or a target's; without a target the group has logged why.
pub(super) fn log(status: StatusCode, error: &Error, context: &Context) {
    if !status.is_server_error() || context.no_target.is_some() {
        return;
    }
    let task = context.target.as_ref().map(|target| target.target().task().to_string());
    let group = context.group.as_ref().map(|group| group.name());
    tracing::warn!(
        request.id = context.id,
        status = status.as_u16(),
        task.id = task,
        target_group = group,
        %error,
        "{} {} failed",
        context.method,
        context.forwarded,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(source: ErrorSource, kind: ErrorType) -> Option<u16> {
        let error = Error::create(kind, source, None, None);
        failure(&error, &Context::default()).map(|(status, _)| status.as_u16())
    }

    #[test]
    fn a_failure_is_answered_by_whose_it_is() {
        use ErrorSource::{Downstream, Internal, Upstream};
        use ErrorType::{ConnectionClosed, InvalidHTTPHeader, ReadTimedout, WriteError};
        for (source, kind, expected) in [
            (Upstream, ReadTimedout, Some(504)),
            (Upstream, ConnectionClosed, Some(502)),
            (Upstream, InvalidHTTPHeader, Some(502)),
            (Downstream, ReadTimedout, Some(408)),
            (Downstream, InvalidHTTPHeader, Some(400)),
            (Downstream, WriteError, None),
            (Internal, InvalidHTTPHeader, Some(500)),
        ] {
            assert_eq!(status(source.clone(), kind.clone()), expected, "{source:?} {kind:?}");
        }
    }
}
