//! A client's connection, through which pingora sees one request at a time.
//!
//! What a client sends after the end of the request in progress is its next request. pingora takes such bytes for a
//! mistake and breaks off the request in progress; here they stay in a buffer until it is done. A client that closes its
//! connection is still noticed at once, since this stream reads ahead.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, Bytes, BytesMut};
use pingora_core::protocols::raw_connect::ProxyDigest;
use pingora_core::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::io::poll_read_buf;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::head::{Body, Head, blank};

/// How much is read at once, and how much is written at once if there is more.
const BUFFER: usize = 4 * 1024;
/// How long a client that is still sending is read from once it is answered, as long as nginx waits for more
/// (`lingering_timeout`).
const LINGER_TIMEOUT: Duration = Duration::from_secs(5);
/// How many bytes are dropped then.
const LINGER_BYTES: usize = 64 << 20;
/// How many of them at once.
const LINGER_BUFFER: usize = 16 << 10;
/// How many bytes that follow the request in progress are buffered.
const MAX_AHEAD: usize = 64 * 1024;

/// A client's connection.
#[derive(Debug)]
pub(super) struct GuardedStream {
    io: BufWriter<TcpStream>,
    /// Read from the client, not yet read by pingora.
    ahead: BytesMut,
    /// How many bytes of the request in progress are still to come; None where only its chunks or tunnel delimit it.
    allowed: Option<u64>,
    /// Whether it has a body, which may not have been read to its end.
    may_send_more: bool,
    digest: Arc<SocketDigest>,
    slot: Arc<Slot>,
}

/// What a connection holds for as long as it is open.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its place among all connections; None where it came as the router closed.
    pub(super) _permit: Option<OwnedSemaphorePermit>,
    /// Lets the router's end wait for it.
    pub(super) _token: TaskTrackerToken,
}

impl GuardedStream {
    /// Around a connection that was just accepted.
    pub(super) fn new(tcp: TcpStream, client: SocketAddr, slot: Slot) -> Self {
        let digest = SocketDigest::from_raw_fd(tcp.as_raw_fd());
        // The digest is new, so the cell is empty.
        digest.peer_addr.set(Some(client.into())).ok();
        Self {
            io: BufWriter::with_capacity(BUFFER, tcp),
            ahead: BytesMut::new(),
            allowed: Some(0),
            may_send_more: false,
            digest: Arc::new(digest),
            slot: Arc::new(slot),
        }
    }

    /// What has come of the next request so far, without the empty lines that some clients send before it.
    pub(super) fn next_request(&mut self) -> &[u8] {
        self.ahead.advance(blank(&self.ahead));
        &self.ahead
    }

    /// Waits for the first bytes of it, without a buffer until they are there; false at the end of the stream.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        ready!(self.io.get_ref().poll_read_ready(cx))?;
        self.ahead.reserve(BUFFER);
        let read = poll_read_buf(Pin::new(self.io.get_mut()), cx, &mut self.ahead);
        Poll::Ready(Ok(ready!(read)? > 0))
    }

    /// Waits for more of it; false at the end of the stream.
    pub(super) async fn more(&mut self) -> io::Result<bool> {
        self.ahead.reserve(BUFFER);
        Ok(self.io.read_buf(&mut self.ahead).await? > 0)
    }

    /// Lets one request through. Returns its bytes that have been read so far, at least its head.
    pub(super) fn open(&mut self, head: Head) -> BytesMut {
        self.may_send_more = match head.body {
            Body::Sized(length) => length > 0,
            Body::Chunked => true,
            Body::Tunnel => false,
        };
        match head.body {
            Body::Sized(length) => {
                let wanted = u64::try_from(head.size).unwrap_or(u64::MAX).saturating_add(length);
                let have = self.ahead.len().min(usize::try_from(wanted).unwrap_or(usize::MAX));
                let prefix = self.ahead.split_to(have);
                self.allowed = Some(wanted - u64::try_from(have).unwrap_or(wanted));
                prefix
            }
            Body::Chunked | Body::Tunnel => {
                self.allowed = None;
                self.ahead.split()
            }
        }
    }

    /// Takes the head of a request out of what has come.
    pub(super) fn take_head(&mut self, head: Head) -> Bytes {
        self.may_send_more = true;
        self.ahead.split_to(head.size).freeze()
    }

    /// Both ways of the connection, and what has come of it.
    pub(super) fn parts(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>, &mut BytesMut) {
        let (read, write) = self.io.get_mut().split();
        (read, write, &mut self.ahead)
    }

    /// Who the client is.
    pub(super) fn client(&self) -> Option<IpAddr> {
        Some(self.digest.peer_addr()?.as_inet()?.ip())
    }

    /// The request has been read to its end.
    pub(super) fn complete(&mut self) {
        self.may_send_more = false;
    }

    /// Writes a final response and closes.
    pub(super) async fn close(mut self, last: &[u8]) -> io::Result<()> {
        self.may_send_more = true;
        self.io.write_all(last).await?;
        self.io.shutdown().await
    }

    /// The request in progress is complete: reads ahead, and ends only if the client closes.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < MAX_AHEAD {
            let mut piece = [0; 1024];
            let mut piece = ReadBuf::new(&mut piece);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut piece))?;
            if piece.filled().is_empty() {
                // A client that has pipelined another request still waits for its responses.
                return if self.ahead.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            self.ahead.extend_from_slice(piece.filled());
        }
        Poll::Pending
    }
}

/// However it ends, and pingora has many ways: closing with unread bytes would reset the connection, and that destroys a
/// response that a client, busy with its body, has not read yet. So another descriptor of it stays open for a while.
impl Drop for GuardedStream {
    fn drop(&mut self) {
        if !self.may_send_more {
            return;
        }
        let again = self.io.get_ref().as_fd().try_clone_to_owned();
        let again = again.and_then(|fd| TcpStream::from_std(fd.into()));
        if let (Ok(tcp), Ok(runtime)) = (again, Handle::try_current()) {
            let slot = Arc::clone(&self.slot);
            runtime.spawn(async move {
                linger(tcp).await;
                drop(slot);
            });
        }
    }
}

/// Tells the client that no more comes, then reads and drops what it still sends, within bounds.
async fn linger(mut tcp: TcpStream) {
    let drop_all = async {
        tcp.shutdown().await?;
        let mut rest = vec![0; LINGER_BUFFER];
        let mut dropped = 0;
        while dropped < LINGER_BYTES {
            match tcp.read(&mut rest).await? {
                0 => break,
                count => dropped += count,
            }
        }
        io::Result::Ok(())
    };
    if let Ok(Err(error)) = tokio::time::timeout(LINGER_TIMEOUT, drop_all).await {
        tracing::trace!(%error, "the client had already closed");
    }
}

impl AsyncRead for GuardedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(allowed) = self.allowed else {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        };
        if allowed == 0 {
            return self.poll_ahead(cx);
        }
        let start = buffer.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - start;
        let most = usize::try_from(allowed).unwrap_or(usize::MAX).min(read);
        // What is beyond the end of this request is the next one.
        self.ahead.extend_from_slice(&buffer.filled()[start + most..]);
        buffer.set_filled(start + most);
        self.allowed = Some(allowed - u64::try_from(most).unwrap_or(allowed));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[async_trait]
impl Shutdown for GuardedStream {
    async fn shutdown(&mut self) {
        if let Err(error) = self.io.shutdown().await {
            tracing::trace!(%error, "the client had already closed");
        }
    }
}

impl UniqueID for GuardedStream {
    fn id(&self) -> UniqueIDType {
        self.io.get_ref().as_raw_fd()
    }
}

impl Ssl for GuardedStream {}

impl Peek for GuardedStream {}

impl GetTimingDigest for GuardedStream {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for GuardedStream {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for GuardedStream {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}
