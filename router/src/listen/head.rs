//! Reads the head of a request strictly, before pingora does: whatever two servers could read in two ways is refused, so
//! that no request can be smuggled inside another. Pure.
//!
//! pingora's own parser repairs what RFC 9112 lets it repair (both lengths, folded lines, odd targets), and a repair can
//! no longer be seen in its header map.

use http::StatusCode;

use crate::address;
use crate::sentence::request;

/// The largest head.
pub(super) const LARGEST: usize = 64 * 1024;
/// The longest request line, and the longest header line.
const LONGEST_LINE: usize = 16 * 1024;
/// The most headers.
const MAX_HEADERS: usize = 200;

/// What has to be known of a request to tell where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// How many bytes it has, the empty line included.
    pub(super) size: usize,
    /// What follows.
    pub(super) body: Body,
    /// Whether it is plain HTTP/1.1: it asks for no other protocol, and waits for no word before its body.
    pub(super) is_plain: bool,
    /// How many fields it has.
    pub(super) fields: usize,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes.
    Sized(u64),
    /// Chunks, which carry their own end.
    Chunked,
    /// Another protocol, if the target agrees.
    Tunnel,
}

/// Why the head of a request is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadError {
    /// It breaks the protocol, or a rule that this parser adds to it.
    #[error("{}", request::malformed(.0))]
    Malformed(&'static str),
    /// Its host is missing or not a host.
    #[error(transparent)]
    Address(#[from] address::BadRequest),
    /// The target is too long.
    #[error("{}", request::long_line(LONGEST_LINE))]
    LongLine,
    /// The headers are too large.
    #[error("{}", request::large_head(MAX_HEADERS, LONGEST_LINE, LARGEST))]
    LargeHead,
    /// A method that is not served.
    #[error("{}", request::bad_method(.0))]
    Method(&'static str),
    /// A version that is not supported.
    #[error("{}", request::bad_version())]
    Version,
    /// It did not come in time.
    #[error("{}", request::slow())]
    Slow,
}

impl HeadError {
    /// The status to answer with.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Address(_) => StatusCode::BAD_REQUEST,
            Self::LongLine => StatusCode::URI_TOO_LONG,
            Self::LargeHead => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// How many bytes of empty lines a buffer begins with: some clients end a body with one too many (RFC 9112, 2.2).
pub(super) fn blank(buffer: &[u8]) -> usize {
    buffer.chunks(2).take_while(|pair| *pair == b"\r\n").count() * 2
}

/// The head at the start of a buffer; None while it is not whole.
pub(super) fn read(buffer: &[u8]) -> Result<Option<Head>, HeadError> {
    let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return too_large(buffer).map(|()| None);
    };
    let size = end + 4;
    if size > LARGEST {
        return Err(HeadError::LargeHead);
    }
    let mut lines = Lines(&buffer[..end + 2]);
    let line = lines.next().unwrap_or(Err(HeadError::Malformed("it has no request line")))?;
    let request = RequestLine::read(line)?;
    let fields = Fields::read(lines)?;
    let body = fields.check(&request)?;
    let is_plain = !request.is_1_0 && fields.upgrade.is_none() && !fields.expects;
    Ok(Some(Head { size, body, is_plain, fields: fields.count }))
}

fn too_large(buffer: &[u8]) -> Result<(), HeadError> {
    let first = buffer.iter().position(|byte| *byte == b'\n');
    if first.is_none() && buffer.len() > LONGEST_LINE {
        return Err(HeadError::LongLine);
    }
    if buffer.len() > LARGEST { Err(HeadError::LargeHead) } else { Ok(()) }
}

/// Lines that end in CR LF and hold neither.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Result<&'a [u8], HeadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.windows(2).position(|bytes| bytes == b"\r\n")?;
        let (line, rest) = self.0.split_at(end);
        self.0 = &rest[2..];
        let is_text = |byte: &u8| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f);
        if line.iter().all(is_text) {
            return Some(Ok(line));
        }
        Some(Err(HeadError::Malformed("it holds a control character or a bare line feed")))
    }
}

struct RequestLine<'a> {
    is_1_0: bool,
    /// The authority of a target in absolute form.
    authority: Option<&'a [u8]>,
}

impl<'a> RequestLine<'a> {
    fn read(line: &'a [u8]) -> Result<Self, HeadError> {
        if line.len() > LONGEST_LINE {
            return Err(HeadError::LongLine);
        }
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(HeadError::Malformed("its first line is not method, target and version"));
        };
        if !is_token(method) {
            return Err(HeadError::Malformed("its method is no word"));
        }
        match version {
            b"HTTP/1.1" | b"HTTP/1.0" => {}
            other if other.starts_with(b"HTTP/") => return Err(HeadError::Version),
            _ => return Err(HeadError::Malformed("its first line ends in no version")),
        }
        match method {
            b"CONNECT" => return Err(HeadError::Method("CONNECT")),
            b"TRACE" => return Err(HeadError::Method("TRACE")),
            _ => {}
        }
        if target.is_empty() || !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#')
        {
            return Err(HeadError::Malformed("its target holds a character that must be encoded"));
        }
        Ok(Self { is_1_0: version == b"HTTP/1.0", authority: authority(target)? })
    }
}

/// The authority of a target in absolute form; None of one in origin form.
fn authority(target: &[u8]) -> Result<Option<&[u8]>, HeadError> {
    if target[0] == b'/' || target == b"*" {
        return Ok(None);
    }
    let rest = [&b"http://"[..], b"https://"].iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    });
    let rest = rest.ok_or(HeadError::Malformed("its target is neither a path nor a URL"))?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    Ok(Some(&rest[..end]))
}

/// The headers that decide where a request goes and where it ends.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<&'a [u8]>,
    coding: Option<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
    expects: bool,
    count: usize,
}

impl<'a> Fields<'a> {
    fn read(lines: Lines<'a>) -> Result<Self, HeadError> {
        let mut fields = Self::default();
        for (count, line) in lines.enumerate() {
            let line = line?;
            if count >= MAX_HEADERS || line.len() > LONGEST_LINE {
                return Err(HeadError::LargeHead);
            }
            fields.count = count + 1;
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = line.split_at(colon.unwrap_or(0));
            if !is_token(name) {
                return Err(HeadError::Malformed("a header has no name, or one with a space"));
            }
            let value = value[1..].trim_ascii();
            let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
            let slot = if is("host") {
                &mut fields.host
            } else if is("content-length") {
                &mut fields.length
            } else if is("transfer-encoding") {
                &mut fields.coding
            } else if is("upgrade") {
                &mut fields.upgrade
            } else {
                fields.expects |= is("expect");
                continue;
            };
            if slot.replace(value).is_some() {
                return Err(HeadError::Malformed("a header that may come once comes twice"));
            }
        }
        Ok(fields)
    }

    fn check(&self, request: &RequestLine<'_>) -> Result<Body, HeadError> {
        let host = self.host.map(named).transpose()?;
        let host = host.ok_or(address::BadRequest::NoHost)?;
        if let Some(authority) = request.authority
            && named(authority)? != host
        {
            return Err(HeadError::Malformed("its URL names another host than its Host header"));
        }
        let body = self.body(request.is_1_0)?;
        let websocket = self.upgrade.is_some_and(|to| to.eq_ignore_ascii_case(b"websocket"));
        match (websocket, body) {
            (false, body) => Ok(body),
            (true, Body::Sized(0)) => Ok(Body::Tunnel),
            (true, Body::Sized(_) | Body::Chunked | Body::Tunnel) => {
                Err(HeadError::Malformed("it wants a WebSocket and has a body"))
            }
        }
    }

    fn body(&self, is_1_0: bool) -> Result<Body, HeadError> {
        match (self.length, self.coding) {
            (None, None) => Ok(Body::Sized(0)),
            (Some(_), Some(_)) => {
                Err(HeadError::Malformed("it has both Content-Length and Transfer-Encoding"))
            }
            (None, Some(_)) if is_1_0 => {
                Err(HeadError::Malformed("HTTP/1.0 has no Transfer-Encoding"))
            }
            (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body::Chunked),
            (None, Some(_)) => {
                Err(HeadError::Malformed("its Transfer-Encoding is not just `chunked`"))
            }
            (Some(length), None) => {
                let digits =
                    (1..=18).contains(&length.len()) && length.iter().all(u8::is_ascii_digit);
                let text = std::str::from_utf8(length).ok().filter(|_| digits);
                let length = text.and_then(|text| text.parse().ok());
                length
                    .map(Body::Sized)
                    .ok_or(HeadError::Malformed("its Content-Length is no number"))
            }
        }
    }
}

fn named(host: &[u8]) -> Result<String, HeadError> {
    let text = std::str::from_utf8(host)
        .map_err(|_not_text| HeadError::Malformed("its host is no text"))?;
    Ok(address::host(text)?)
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

#[cfg(test)]
mod tests;
