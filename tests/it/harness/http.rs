//! Plain HTTP/1.1 requests on connections of their own, so that a test sees each answer as a client would.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// GET of a URL as `http://host:port/path`.
pub(crate) fn get(url: &str) -> io::Result<Answer> {
    request(url, "GET", None, &[], "")
}

/// GET of a path through the router, for a host.
pub(crate) fn get_from(router: &str, host: &str, path: &str) -> io::Result<Answer> {
    request(&format!("{router}{path}"), "GET", Some(host), &[], "")
}

/// Announces a body of `announced` bytes, sends `body`, and cuts the connection.
pub(crate) fn cut_off(
    url: &str,
    method: &str,
    headers: &[(&str, &str)],
    announced: usize,
    body: &str,
) {
    let rest = url.strip_prefix("http://").expect("a URL without TLS");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address).expect("somebody listens there");
    let head = head(method, path, address, headers, Some(announced)) + "\r\n";
    stream.write_all(head.as_bytes()).expect("the head is sent");
    stream.write_all(body.as_bytes()).expect("a part of the body is sent");
}

/// Any request.
pub(crate) fn request(
    url: &str,
    method: &str,
    host: Option<&str>,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Answer> {
    let rest = url.strip_prefix("http://").ok_or(io::ErrorKind::InvalidInput)?;
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let host = host.unwrap_or(address);
    let length = Some(body.len()).filter(|length| *length > 0);
    let head = head(method, path, host, headers, length) + "Connection: close\r\n\r\n";
    stream.write_all((head + body).as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split_whitespace().nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// A request's head without the empty line at its end.
fn head(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(&str, &str)],
    length: Option<usize>,
) -> String {
    let mut lines = vec![format!("{method} /{path} HTTP/1.1"), format!("Host: {host}")];
    lines.extend(headers.iter().map(|(key, value)| format!("{key}: {value}")));
    lines.extend(length.map(|length| format!("Content-Length: {length}")));
    lines.join("\r\n") + "\r\n"
}
