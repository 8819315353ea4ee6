//! One request and its response between a client and a target: bytes pass both ways at once, each way bounded.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, BytesMut};
use http1::{ChunkError, Chunks, Framing, Hop, ResponseError, ResponseHead};
use tokio::io::{AsyncWrite, ReadBuf};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::head;
use crate::deadline::{self, Deadline};

/// How long neither side may do anything.
pub(super) const STALL: Duration = Duration::from_mins(1);
/// Bytes that are read at once, either way: a head and a small body fit.
const PIECE: usize = 16 * 1024;
/// Bytes that are read at once of what a client sends behind its request.
const AHEAD_PIECE: usize = 1024;
/// Bytes that are read from a target at once once the body is known to be large.
const LARGE_PIECE: usize = 64 * 1024;
/// Bytes that are read ahead of a client: the body in progress, or the next request.
const MOST_AHEAD: usize = 64 * 1024;
/// Fields of a response at most.
const MOST_FIELDS: usize = 128;

/// How an exchange failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Nothing of its response had come.
    #[error("the target closed the connection instead of answering")]
    Reset,
    /// What the target answered is no response.
    #[error("the target answered what is no response")]
    Response(#[source] ResponseError),
    /// A part of it is with the client.
    #[error("the response of the target ended too early or broke its framing")]
    Cut,
    /// The target does not answer.
    #[error("the target does not answer")]
    TargetStalled,
    /// The client does not go on with its body.
    #[error("the client does not go on with its body")]
    ClientStalled,
    /// The client's body is broken.
    #[error("the body of the request cannot be read")]
    Chunks(#[source] ChunkError),
    /// The client has gone.
    #[error("the client has gone")]
    ClientGone,
}

/// The client's side.
pub(super) struct Client<'a, 'c> {
    pub(super) read: &'a mut ReadHalf<'c>,
    pub(super) write: &'a mut WriteHalf<'c>,
    /// What has come from it.
    pub(super) came: &'a mut BytesMut,
    pub(super) body: &'a mut Body,
    /// Wakes the exchange once neither side has done anything for too long. It is set anew only when it fires.
    pub(super) stall: &'a mut Deadline,
}

/// What is fixed for an exchange.
pub(super) struct Terms<'a> {
    /// The request's head for the target.
    pub(super) head: &'a [u8],
    pub(super) id: &'a str,
    pub(super) is_head: bool,
    /// Whether the client's connection ends with the response.
    pub(super) closes: bool,
    /// Whether it does so because the router closes, which may begin before the response does.
    pub(super) closing: &'a CancellationToken,
}

/// How an exchange ended well.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: u16,
    /// Whether the target's connection can carry another request.
    pub(super) is_reusable: bool,
    /// Whether the client was told that its connection ends.
    pub(super) closes: bool,
}

enum Response {
    Head,
    Sized(u64),
    Chunked(Chunks),
    UntilClose,
    Done,
}

pub(super) struct Exchange<'a, 'c, 't> {
    client: Client<'a, 'c>,
    target_read: ReadHalf<'t>,
    target_write: WriteHalf<'t>,
    terms: &'a Terms<'a>,
    head_sent: usize,
    /// Whether the target takes nothing more.
    is_deaf: bool,
    response: Response,
    /// What has come from the target.
    came: BytesMut,
    /// What goes to the client next.
    out: BytesMut,
    status: u16,
    is_reusable: bool,
    closes: bool,
    due: Instant,
}

impl<'a, 'c, 't> Exchange<'a, 'c, 't> {
    pub(super) fn new(
        client: Client<'a, 'c>,
        target: (ReadHalf<'t>, WriteHalf<'t>),
        terms: &'a Terms<'a>,
    ) -> Self {
        Self {
            client,
            target_read: target.0,
            target_write: target.1,
            terms,
            head_sent: 0,
            is_deaf: false,
            response: Response::Head,
            came: BytesMut::new(),
            out: BytesMut::new(),
            status: 0,
            is_reusable: false,
            closes: terms.closes,
            due: deadline::now() + STALL,
        }
    }

    /// Passes everything on. The error says whether the client has got a part of the response.
    pub(super) async fn run(mut self) -> Result<Ended, Broken> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Ended, Broken>> {
        let mut has_moved = false;
        loop {
            let moved = self.poll_request(cx) | self.poll_client(cx)? | self.poll_response(cx)?;
            if self.poll_out(cx)? {
                if self.out.is_empty() && matches!(self.response, Response::Done) {
                    let is_reusable = self.is_reusable && self.is_request_sent();
                    let (status, closes) = (self.status, self.closes);
                    return Poll::Ready(Ok(Ended { status, is_reusable, closes }));
                }
            } else if !moved {
                if has_moved {
                    self.due = deadline::now() + STALL;
                }
                return self.poll_stall(cx).map(Err);
            }
            has_moved = true;
        }
    }

    fn is_request_sent(&self) -> bool {
        self.head_sent == self.terms.head.len() && self.client.body.is_sent() && !self.is_deaf
    }

    /// Sends head and body, together where both are there. Whether anything has moved.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> bool {
        let head = &self.terms.head[self.head_sent..];
        let body = self.client.body.unsent(self.client.came);
        if self.is_deaf || (head.is_empty() && body.is_empty()) {
            return false;
        }
        let slices = [io::IoSlice::new(head), io::IoSlice::new(body)];
        match Pin::new(&mut self.target_write).poll_write_vectored(cx, &slices) {
            Poll::Ready(Ok(count)) if count > 0 => {
                let of_head = count.min(head.len());
                self.head_sent += of_head;
                self.client.body.sent(count - of_head, self.client.came);
                true
            }
            // It may have answered before it closed.
            Poll::Ready(Ok(_) | Err(_)) => {
                self.is_deaf = true;
                true
            }
            Poll::Pending => false,
        }
    }

    /// Reads more of the body, or ahead to the next request; a client that closes is noticed at once.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        if self.client.came.len() - self.client.body.sent_bytes() >= MOST_AHEAD {
            return Ok(false);
        }
        let is_whole = self.client.body.is_whole();
        if is_whole && self.client.came.len() == self.client.body.known_bytes() {
            // Most say nothing more until they are answered: that is found out without a buffer.
            let mut byte = [0];
            match self.client.read.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
                Poll::Ready(Ok(0) | Err(_)) => return Err(Broken::ClientGone),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => return Ok(false),
            }
        }
        self.client.came.reserve(if is_whole { AHEAD_PIECE } else { PIECE });
        match poll_read_buf(Pin::new(&mut *self.client.read), cx, self.client.came) {
            Poll::Ready(Ok(0)) if self.client.came.len() > self.client.body.known_bytes() => {
                // One that has sent another request still waits for its responses.
                Ok(false)
            }
            Poll::Ready(Ok(0) | Err(_)) => Err(Broken::ClientGone),
            Poll::Ready(Ok(_)) => {
                let learnt = self.client.body.learn(self.client.came);
                // Behind a response that has begun there is no place for another.
                let has_begun = self.status != 0;
                let broken = |why| if has_begun { Broken::Cut } else { Broken::Chunks(why) };
                learnt.map_err(broken).map(|()| true)
            }
            Poll::Pending => Ok(false),
        }
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        if !self.out.is_empty() || matches!(self.response, Response::Done) {
            return Ok(false);
        }
        let is_large = matches!(self.response, Response::Sized(left) if left > PIECE as u64);
        self.came.reserve(if is_large { LARGE_PIECE } else { PIECE });
        match poll_read_buf(Pin::new(&mut self.target_read), cx, &mut self.came) {
            Poll::Ready(Ok(0)) => self.ended().map(|()| true),
            Poll::Ready(Ok(_)) => self.take().map(|()| true),
            Poll::Ready(Err(_)) => Err(self.cut()),
            Poll::Pending => Ok(false),
        }
    }

    /// The target has closed its connection.
    fn ended(&mut self) -> Result<(), Broken> {
        if !matches!(self.response, Response::UntilClose) {
            return Err(self.cut());
        }
        self.out.put_slice(b"0\r\n\r\n");
        self.response = Response::Done;
        Ok(())
    }

    fn cut(&self) -> Broken {
        match self.response {
            Response::Head if self.came.is_empty() && self.status == 0 => Broken::Reset,
            Response::Head if self.status == 0 => Broken::Response(ResponseError::Syntax),
            Response::Head
            | Response::Sized(_)
            | Response::Chunked(_)
            | Response::UntilClose
            | Response::Done => Broken::Cut,
        }
    }

    /// Takes what has come from the target.
    fn take(&mut self) -> Result<(), Broken> {
        while matches!(self.response, Response::Head) {
            if !self.take_head()? {
                return Ok(());
            }
        }
        match &mut self.response {
            Response::Head | Response::Done => {}
            Response::Sized(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(self.came.len());
                *left -= u64::try_from(most).unwrap_or(*left);
                let is_done = *left == 0;
                self.pass(most);
                if is_done {
                    self.response = Response::Done;
                }
            }
            Response::Chunked(chunks) => {
                // What the target breaks cannot be told to the client any more but by an end.
                let taken = chunks.take(&self.came).map_err(|_broken| Broken::Cut)?;
                let is_done = chunks.is_done();
                self.pass(taken);
                if is_done {
                    self.response = Response::Done;
                }
            }
            Response::UntilClose => {
                if !self.came.is_empty() {
                    let size = format!("{:x}\r\n", self.came.len());
                    self.out.put_slice(size.as_bytes());
                    self.pass(self.came.len());
                    self.out.put_slice(b"\r\n");
                }
            }
        }
        if matches!(self.response, Response::Done) && !self.came.is_empty() {
            // It says more than it was asked for.
            self.is_reusable = false;
        }
        Ok(())
    }

    fn pass(&mut self, count: usize) {
        let piece = self.came.split_to(count);
        if self.out.is_empty() {
            self.out = piece;
        } else {
            self.out.unsplit(piece);
        }
    }

    /// Takes one head; false while it is not whole.
    fn take_head(&mut self) -> Result<bool, Broken> {
        let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
        let read = ResponseHead::read(&self.came, &mut fields, self.terms.is_head);
        let Some(head) = read.map_err(Broken::Response)? else { return Ok(false) };
        let hop = Hop::of(head.fields);
        let size = head.size;
        if head.status == 101 {
            // Nobody has asked for another protocol.
            return Err(Broken::Response(ResponseError::Syntax));
        }
        if head.status < 200 {
            let out = head::informational(&head, &hop);
            self.out.unsplit(out);
            self.came.advance(size);
            return Ok(true);
        }
        self.status = head.status;
        self.is_reusable = !hop.closes && !head.is_1_0 && head.framing != Framing::UntilClose;
        let framing = head.framing;
        self.closes |= self.terms.closing.is_cancelled();
        let out = head::response(&head, &hop, self.terms.id, self.closes);
        self.out.unsplit(out);
        self.came.advance(size);
        self.response = match framing {
            Framing::Sized(0) => Response::Done,
            Framing::Sized(length) => Response::Sized(length),
            Framing::Chunked => Response::Chunked(Chunks::default()),
            Framing::UntilClose => Response::UntilClose,
        };
        Ok(true)
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Result<bool, Broken> {
        if self.out.is_empty() {
            return Ok(false);
        }
        match Pin::new(&mut *self.client.write).poll_write(cx, &self.out) {
            Poll::Ready(Ok(count)) if count > 0 => {
                self.out.advance(count);
                Ok(true)
            }
            Poll::Ready(Ok(_) | Err(_)) => Err(Broken::ClientGone),
            Poll::Pending => Ok(false),
        }
    }

    fn poll_stall(&mut self, cx: &mut Context<'_>) -> Poll<Broken> {
        let due = self.due;
        self.client.stall.poll(cx, due).map(|()| self.stalled())
    }

    fn stalled(&self) -> Broken {
        if !self.out.is_empty() {
            Broken::ClientGone
        } else if self.status != 0 {
            Broken::Cut
        } else if !self.client.body.is_whole()
            && self.client.body.unsent(self.client.came).is_empty()
        {
            Broken::ClientStalled
        } else {
            Broken::TargetStalled
        }
    }
}
