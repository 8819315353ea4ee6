//! A request's body: it ends with an error when nothing has come of it for too long, and tells whether its connection waits.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Sleep, sleep};

use crate::admission::Progress;

#[derive(Debug)]
pub(crate) struct RequestBody {
    inner: Incoming,
    progress: Arc<Progress>,
    silence: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, progress: Arc<Progress>, silence: Duration) -> Self {
        Self { inner, progress, silence, deadline: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) {
            self.progress.serves();
            self.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        self.progress.waits();
        let silence = self.silence;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(silence)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
