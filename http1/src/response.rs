//! The head of a response, and what follows it (RFC 9112 section 6.3).

use httparse::{Header, ParserConfig, Status};

/// Bytes of a head at most.
const LARGEST: usize = 64 * 1024;

/// What is wrong with a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// It is no HTTP/1 response.
    #[error("it is no HTTP/1.1 response")]
    Syntax,
    /// Its head is too large.
    #[error("its head is too large")]
    TooLarge,
    /// Where it ends could be read in two ways.
    #[error("where it ends could be read in two ways")]
    Ambiguous,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// So many bytes.
    Sized(u64),
    /// Chunks, which carry their own end.
    Chunked,
    /// Whatever comes until the connection ends.
    UntilClose,
}

/// A head.
#[derive(Debug)]
pub struct ResponseHead<'a> {
    /// The status.
    pub status: u16,
    /// The reason phrase, which may be empty.
    pub reason: &'a str,
    /// How many bytes it has, the empty line included.
    pub size: usize,
    /// Its fields.
    pub fields: &'a [Header<'a>],
    /// What follows.
    pub framing: Framing,
    /// Whether it is HTTP/1.0, whose connections end unless they say otherwise.
    pub is_1_0: bool,
}

impl<'a> ResponseHead<'a> {
    /// The head at the start of a buffer; None while it is not whole. `to_head`: it answers a HEAD request.
    pub fn read(
        buffer: &'a [u8],
        fields: &'a mut [Header<'a>],
        to_head: bool,
    ) -> Result<Option<Self>, ResponseError> {
        let mut response = httparse::Response::new(fields);
        let parsed = ParserConfig::default().parse_response(&mut response, buffer);
        let size = match parsed {
            Ok(Status::Complete(size)) => size,
            Ok(Status::Partial) if buffer.len() > LARGEST => return Err(ResponseError::TooLarge),
            Ok(Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::TooLarge),
            Err(_) => return Err(ResponseError::Syntax),
        };
        let status = response.code.ok_or(ResponseError::Syntax)?;
        let reason = response.reason.unwrap_or_default();
        let is_1_0 = response.version == Some(0);
        let fields: &'a [Header<'a>] = response.headers;
        let framing = framing(status, fields, to_head)?;
        Ok(Some(Self { status, reason, size, fields, framing, is_1_0 }))
    }
}

fn framing(status: u16, fields: &[Header<'_>], to_head: bool) -> Result<Framing, ResponseError> {
    let mut length = None;
    let mut coding = None;
    for field in fields {
        if field.name.eq_ignore_ascii_case("content-length") {
            let told = number(field.value)?;
            // The same number twice is a mistake that many programs make and all read alike.
            if length.replace(told).is_some_and(|before| before != told) {
                return Err(ResponseError::Ambiguous);
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding")
            && coding.replace(field.value.trim_ascii()).is_some()
        {
            return Err(ResponseError::Ambiguous);
        }
    }
    if to_head || status < 200 || matches!(status, 204 | 304) {
        return Ok(Framing::Sized(0));
    }
    match (length, coding) {
        (Some(length), None) => Ok(Framing::Sized(length)),
        (None, Some(coding)) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (_, Some(_)) => Err(ResponseError::Ambiguous),
        (None, None) => Ok(Framing::UntilClose),
    }
}

fn number(value: &[u8]) -> Result<u64, ResponseError> {
    let value = value.trim_ascii();
    let is_number = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| is_number);
    text.and_then(|text| text.parse().ok()).ok_or(ResponseError::Ambiguous)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framing_of(head: &str, to_head: bool) -> Result<Option<Framing>, ResponseError> {
        let mut fields = [httparse::EMPTY_HEADER; 16];
        let head = ResponseHead::read(head.as_bytes(), &mut fields, to_head)?;
        Ok(head.map(|head| head.framing))
    }

    #[test]
    fn a_response_ends_where_its_head_says() {
        for (head, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Framing::Sized(5)),
            ("HTTP/1.1 200\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", Framing::Sized(5)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", Framing::Chunked),
            ("HTTP/1.0 200 OK\r\n\r\n", Framing::UntilClose),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", Framing::Sized(0)),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Framing::Sized(0)),
            ("HTTP/1.1 100 Continue\r\n\r\n", Framing::Sized(0)),
        ] {
            assert_eq!(framing_of(head, false), Ok(Some(expected)), "{head:?}");
            assert_eq!(framing_of(head, true), Ok(Some(Framing::Sized(0))), "{head:?} to HEAD");
        }
        assert_eq!(framing_of("HTTP/1.1 200 OK\r\nContent-", false), Ok(None));
    }

    #[test]
    fn a_response_that_could_end_in_two_places_is_an_error() {
        for (fields, why) in [
            ("Content-Length: 5\r\nContent-Length: 6", ResponseError::Ambiguous),
            ("Content-Length: 5, 5", ResponseError::Ambiguous),
            ("Content-Length: +5", ResponseError::Ambiguous),
            ("Content-Length: 5\r\nTransfer-Encoding: chunked", ResponseError::Ambiguous),
            ("Transfer-Encoding: gzip, chunked", ResponseError::Ambiguous),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", ResponseError::Ambiguous),
            ("Content Length: 5", ResponseError::Syntax),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert_eq!(framing_of(&head, false), Err(why), "{fields:?}");
        }
        assert_eq!(framing_of("SSH-2.0-x\r\n", false), Err(ResponseError::Syntax));
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(LARGEST));
        assert_eq!(framing_of(&endless, false), Err(ResponseError::TooLarge));
    }
}
