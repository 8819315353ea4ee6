//! The heads that the router writes: of the request to a target, and of the response to a client. Pure.

use std::net::IpAddr;

use bytes::{BufMut as _, BytesMut};
use http1::{Framing, Hop, ResponseHead};
use httparse::Header;
use ipnet::IpNet;

use super::date;
use crate::forwarded::{self, Said};
use crate::proxy::forward::is_proxy_header;
use crate::request_id;

/// What the router says of itself and of the client in a request.
#[derive(Debug)]
pub(super) struct Forwarded<'a> {
    pub(super) method: &'a str,
    /// Path and query.
    pub(super) target: &'a str,
    /// Whom the connection is from.
    pub(super) peer: IpAddr,
    /// The port of the listener.
    pub(super) port: u16,
    /// The proxies before this one whose word on clients counts.
    pub(super) trusted: &'a [IpNet],
    pub(super) id: &'a str,
}

/// The head of the request to a target.
pub(super) fn request(request: &Forwarded<'_>, fields: &[Header<'_>]) -> BytesMut {
    let hop = Hop::of(fields);
    let mut head = BytesMut::with_capacity(1024);
    for part in [request.method, " ", request.target, " HTTP/1.1\r\n"] {
        head.put_slice(part.as_bytes());
    }
    let (mut host, mut said): (&[u8], _) = (b"", Said::default());
    for field in fields {
        if field.name.eq_ignore_ascii_case("host") {
            host = field.value;
        }
        said.hear(field.name, field.value);
        if !hop.holds(field.name) && !is_proxy_header(field.name) {
            put(&mut head, field.name, field.value);
        }
    }
    let told = forwarded::told(request.peer, &said, host, request.port, request.trusted);
    put(&mut head, forwarded::FOR, told.way.as_bytes());
    put(&mut head, forwarded::REAL_IP, told.client.as_bytes());
    put(&mut head, forwarded::PROTO, told.proto.as_bytes());
    put(&mut head, forwarded::HOST, told.host.as_bytes());
    put(&mut head, forwarded::PORT, told.port.as_bytes());
    put(&mut head, request_id::HEADER, request.id.as_bytes());
    head.put_slice(b"\r\n");
    head
}

/// The head of the response to a client: with the request's id, and without what holds for the target's connection.
pub(super) fn response(head: &ResponseHead<'_>, hop: &Hop<'_>, id: &str, closes: bool) -> BytesMut {
    let mut out = BytesMut::with_capacity(head.size + 128);
    status_line(&mut out, head);
    for field in head.fields {
        if !hop.holds(field.name) && !field.name.eq_ignore_ascii_case(request_id::HEADER) {
            put(&mut out, field.name, field.value);
        }
    }
    put(&mut out, request_id::HEADER, id.as_bytes());
    if !head.fields.iter().any(|field| field.name.eq_ignore_ascii_case("date")) {
        put(&mut out, "Date", date::now().as_bytes());
    }
    if head.framing == Framing::UntilClose {
        // The client is told where it ends, so that it can tell a whole answer from one that was cut.
        put(&mut out, "Transfer-Encoding", b"chunked");
    }
    if closes {
        put(&mut out, "Connection", b"close");
    }
    out.put_slice(b"\r\n");
    out
}

/// The head of an informational response, as it came.
pub(super) fn informational(head: &ResponseHead<'_>, hop: &Hop<'_>) -> BytesMut {
    let mut out = BytesMut::with_capacity(head.size);
    status_line(&mut out, head);
    for field in head.fields.iter().filter(|field| !hop.holds(field.name)) {
        put(&mut out, field.name, field.value);
    }
    out.put_slice(b"\r\n");
    out
}

fn status_line(out: &mut BytesMut, head: &ResponseHead<'_>) {
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(head.status.to_string().as_bytes());
    out.put_u8(b' ');
    out.put_slice(head.reason.as_bytes());
    out.put_slice(b"\r\n");
}

pub(super) fn put(head: &mut BytesMut, name: &str, value: &[u8]) {
    head.put_slice(name.as_bytes());
    head.put_slice(b": ");
    head.put_slice(value);
    head.put_slice(b"\r\n");
}
