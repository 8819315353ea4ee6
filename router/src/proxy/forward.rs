//! What of a request is matched and forwarded.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderName, HeaderValue, header};
use ipnet::IpNet;
use pingora_core::Result;
use pingora_http::RequestHeader;

use super::context::Context;
use crate::address::{self, BadRequest};
use crate::forwarded::{self, Said};
use crate::request_id;

/// Headers that only a proxy may set, besides all that begin with `x-forwarded`: no client is trusted, so a client's own
/// are removed. Some programs take the path from `x-original-url` or `x-rewrite-url`, which would not be the path that was
/// matched; CGI programs take `proxy` for the address of a proxy (httpoxy).
const PROXY_HEADERS: [&str; 6] = [
    "forwarded",
    "proxy",
    "x-original-url",
    forwarded::REAL_IP,
    request_id::HEADER,
    "x-rewrite-url",
];
const PROXY_HEADER_PREFIX: &str = "x-forwarded";

/// What a request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestTarget {
    /// The host as it is matched.
    pub(super) host: String,
    /// The path as it is matched and forwarded.
    pub(super) path: String,
    /// The query as it came.
    query: Option<String>,
}

impl RequestTarget {
    /// From the Host header and the target of a request.
    pub(super) fn read(host: &[u8], target: &[u8]) -> Result<Self, BadRequest> {
        let host = address::host(&String::from_utf8_lossy(host))?;
        let target = String::from_utf8_lossy(target);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (&*target, None),
        };
        Ok(Self { host, path: address::path(origin(path))?, query })
    }

    /// The target of the request that is forwarded.
    pub(super) fn forwarded(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

/// The path of a target in either form.
fn origin(target: &str) -> &str {
    match target.split_once("://") {
        Some((_, rest)) if !target.starts_with('/') => {
            rest.find('/').map_or("", |start| &rest[start..])
        }
        _ => target,
    }
}

/// Makes the request that a target gets: in the spelling that was matched, with the headers of a proxy.
pub(super) fn rewrite(
    request: &mut RequestHeader,
    context: &Context,
    peer: Option<IpAddr>,
    port: u16,
    trusted: &[IpNet],
) -> Result<()> {
    request.set_raw_path(context.forwarded.as_bytes())?;
    let mut said = Said::default();
    for (name, value) in &request.headers {
        said.hear(name.as_str(), value.as_bytes());
    }
    let host = request.headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let told = forwarded::told(peer, &said, host, port, trusted);
    for name in proxy_headers(request) {
        request.remove_header(&name);
    }
    request.insert_header(forwarded::FOR, told.way.as_str())?;
    request.insert_header(forwarded::REAL_IP, told.client.as_str())?;
    request.insert_header(forwarded::PROTO, HeaderValue::from_static(told.proto))?;
    request.insert_header(forwarded::HOST, told.host.as_str())?;
    request.insert_header(forwarded::PORT, told.port.as_str())?;
    request.insert_header(request_id::HEADER, context.id.as_str())
}

/// A client's headers that only a proxy may set. Many programs do not distinguish `_` and `-`.
fn proxy_headers(request: &RequestHeader) -> Vec<HeaderName> {
    request.headers.keys().filter(|name| is_proxy_header(name.as_str())).cloned().collect()
}

/// Whether a header is one that only a proxy may set.
pub(crate) fn is_proxy_header(name: &str) -> bool {
    let is = |wanted: &str, name: &str| {
        name.len() == wanted.len()
            && name.bytes().zip(wanted.bytes()).all(|(byte, wanted)| {
                byte.eq_ignore_ascii_case(&wanted) || (byte == b'_' && wanted == b'-')
            })
    };
    let start = name.get(..PROXY_HEADER_PREFIX.len());
    start.is_some_and(|start| is(PROXY_HEADER_PREFIX, start))
        || PROXY_HEADERS.iter().any(|header| is(header, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(target: &str, headers: &[(&str, &str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
        for (name, value) in headers {
            request.append_header((*name).to_owned(), *value).unwrap();
        }
        request
    }

    fn target(target: &str) -> RequestTarget {
        RequestTarget::read(b"A.test:80", target.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_matched_is_what_is_forwarded_and_the_query_stays_as_it_came() {
        assert_eq!(target("/a/../b//c?x=/../%2F").forwarded(), "/b/c?x=/../%2F");
        assert_eq!(target("/?").forwarded(), "/?");
        assert_eq!(target("http://a.test/b?c").forwarded(), "/b?c");
        assert_eq!(target("http://a.test?c").forwarded(), "/?c");
        assert_eq!(target("/go?to=http://b.test/").forwarded(), "/go?to=http://b.test/");
        assert_eq!(target("/").host, "a.test");
    }

    #[test]
    fn headers_that_only_a_proxy_may_set_are_not_taken_from_clients() {
        let forged = [
            ("Host", "a.test"),
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-For", "2.2.2.2"),
            ("X_Forwarded_For", "3.3.3.3"),
            ("X-Real-IP", "4.4.4.4"),
            ("Forwarded", "for=5.5.5.5"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Prefix", "/elsewhere"),
            ("X_Forwarded_Server", "elsewhere"),
            ("X-Original-URL", "/elsewhere"),
            ("X-Rewrite-URL", "/elsewhere"),
            ("Proxy", "elsewhere:80"),
        ];
        let mut request = request("/", &forged);
        let context =
            Context { id: "7f".to_owned(), forwarded: "/".to_owned(), ..Context::default() };
        rewrite(&mut request, &context, Some([10, 0, 0, 9].into()), 8080, &[]).unwrap();
        let mut left: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "host: a.test",
                "x-forwarded-for: 10.0.0.9",
                "x-forwarded-host: a.test",
                "x-forwarded-port: 8080",
                "x-forwarded-proto: http",
                "x-real-ip: 10.0.0.9",
                "x-request-id: 7f",
            ]
        );
    }
}
