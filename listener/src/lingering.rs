//! A stream whose end is gentle: it is shut down for writing first, then what the client still sends is read and dropped,
//! for a while, until the client closes its own end.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long that goes on at most, as long as nginx waits for more (`lingering_timeout`).
const LONGEST: Duration = Duration::from_secs(5);
/// Bytes that are read and dropped at most.
const MOST: usize = 64 << 20;
/// Bytes that are read at once.
const AT_ONCE: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Lingering<S> {
    inner: S,
    end: Option<End>,
}

#[derive(Debug)]
struct End {
    deadline: Pin<Box<Sleep>>,
    dropped: usize,
}

impl<S> Lingering<S> {
    pub(crate) fn new(inner: S) -> Self {
        Self { inner, end: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { inner, end } = &mut *self;
        if end.is_none() {
            ready!(Pin::new(&mut *inner).poll_shutdown(context))?;
        }
        let end = end.get_or_insert_with(|| End { deadline: Box::pin(sleep(LONGEST)), dropped: 0 });
        let mut buffer = [0; AT_ONCE];
        loop {
            if end.dropped >= MOST || end.deadline.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(&mut buffer);
            match ready!(Pin::new(&mut *inner).poll_read(context, &mut read)) {
                Ok(()) if !read.filled().is_empty() => end.dropped += read.filled().len(),
                // The client has closed its end, one way or the other.
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
