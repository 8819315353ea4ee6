//! What the router answers by itself, as whole HTTP/1.1 responses.

use bytes::BytesMut;
use http::StatusCode;

use super::date;
use super::head::put;
use crate::pages::Page;
use crate::request_id;

/// How an answer goes to its client.
pub(crate) struct Way<'a> {
    /// The request's id.
    pub(crate) id: &'a str,
    /// Whether the connection ends with it.
    pub(crate) closes: bool,
    /// Whether it answers a HEAD request.
    pub(crate) is_head: bool,
}

/// A page.
pub(crate) fn page(page: &Page, way: &Way<'_>) -> BytesMut {
    let mut head = begin(page.status.as_u16(), page.content_type, way);
    put(&mut head, "Cache-Control", b"no-store");
    if let Some(secs) = page.retry_after {
        put(&mut head, "Retry-After", secs.to_string().as_bytes());
    }
    end(head, &page.body, way)
}

/// The fixed response of a rule. 204 has neither a body nor a length.
pub(super) fn fixed(status: u16, content_type: &str, body: &str, way: &Way<'_>) -> BytesMut {
    let mut head = begin(status, content_type, way);
    if status == 204 {
        head.extend_from_slice(b"\r\n");
        return head;
    }
    end(head, body, way)
}

fn begin(status: u16, content_type: &str, way: &Way<'_>) -> BytesMut {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let line = format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or_default());
    let mut head = BytesMut::from(line.as_bytes());
    if !content_type.is_empty() {
        put(&mut head, "Content-Type", content_type.as_bytes());
    }
    put(&mut head, request_id::HEADER, way.id.as_bytes());
    put(&mut head, "Date", date::now().as_bytes());
    if way.closes {
        put(&mut head, "Connection", b"close");
    }
    head
}

fn end(mut head: BytesMut, body: &str, way: &Way<'_>) -> BytesMut {
    put(&mut head, "Content-Length", body.len().to_string().as_bytes());
    head.extend_from_slice(b"\r\n");
    if !way.is_head {
        head.extend_from_slice(body.as_bytes());
    }
    head
}
