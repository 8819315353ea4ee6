//! A client that sends bytes as they are and reads answers strictly.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::within::within;

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Which origin answered.
    pub(super) fn origin(&self) -> &str {
        self.body.lines().next().unwrap_or_default()
    }

    /// Over which of its connections.
    pub(super) fn connection(&self) -> &str {
        self.body.lines().nth(1).unwrap_or_default()
    }

    /// A header of the request as the origin got it.
    pub(super) fn got(&self, name: &str) -> Vec<&str> {
        let lines = self.body.lines().skip(3).take_while(|line| !line.is_empty());
        let named = lines.filter_map(|line| line.split_once(": "));
        named
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }
}

/// A connection to the router.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) tcp: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(super) async fn new(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self { tcp, buffer: Vec::new() }
    }

    /// Sends bytes.
    pub(super) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.tcp.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a GET and reads the answer.
    pub(super) async fn get(&mut self, host: &str, path: &str) -> Option<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.tcp.write_all(request.as_bytes()).await.ok()?;
        self.read().await
    }

    /// Reads an answer; None if the connection ends first.
    pub(super) async fn read(&mut self) -> Option<Answer> {
        within("an answer", async {
            loop {
                if let Some(answer) = self.parsed() {
                    return Some(answer);
                }
                if self.tcp.read_buf(&mut self.buffer).await.ok()? == 0 {
                    return None;
                }
            }
        })
        .await
    }

    fn parsed(&mut self) -> Option<Answer> {
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        let end = text.find("\r\n\r\n")? + 4;
        let head = text[..end].to_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answer = Answer { status, head, body: String::new() };
        let length =
            answer.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let body = text.get(end..end + length)?;
        answer.body = body.to_owned();
        self.buffer.drain(..end + length);
        Some(answer)
    }

    /// Reads bytes of a tunnel.
    pub(super) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        within("bytes", async {
            while self.buffer.len() < count {
                assert!(self.tcp.read_buf(&mut self.buffer).await.unwrap() > 0, "the tunnel ended");
            }
            self.buffer.drain(..count).collect()
        })
        .await
    }

    /// Whether the router closes the connection and says nothing more.
    pub(super) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        within("the end of the connection", self.tcp.read_to_end(&mut rest)).await.ok();
        rest.is_empty() && self.buffer.is_empty()
    }
}

/// One request over a connection of its own.
pub(super) async fn send(address: SocketAddr, request: impl AsRef<[u8]>) -> Option<Answer> {
    let mut client = Client::new(address).await;
    client.write(request).await;
    client.read().await
}
