//! How far the body of a request has come, and how far it has been sent.

use bytes::{Buf as _, BytesMut};
use http1::{ChunkError, Chunks};

/// Bytes that are kept once they are sent, so that they can be sent again to another target.
const KEPT: usize = 64 * 1024;

/// The body of one request: a part of what the client has sent.
#[derive(Debug)]
pub(super) struct Body {
    end: End,
    /// Bytes at the start of what the client has sent that belong to it.
    known: usize,
    /// How many of these are sent to the target.
    sent: usize,
    /// Whether sent ones are gone.
    is_cut: bool,
}

/// Where it ends.
#[derive(Debug)]
enum End {
    /// After so many bytes more than are known.
    After(u64),
    Chunks(Chunks),
}

impl Body {
    pub(super) fn sized(length: u64) -> Self {
        Self { end: End::After(length), known: 0, sent: 0, is_cut: false }
    }

    pub(super) fn chunked() -> Self {
        Self { end: End::Chunks(Chunks::default()), known: 0, sent: 0, is_cut: false }
    }

    /// Takes note of what has come.
    pub(super) fn learn(&mut self, came: &[u8]) -> Result<(), ChunkError> {
        let new = &came[self.known..];
        self.known += match &mut self.end {
            End::After(left) => {
                let most = usize::try_from(*left).unwrap_or(usize::MAX).min(new.len());
                *left -= u64::try_from(most).unwrap_or(*left);
                most
            }
            End::Chunks(chunks) => chunks.take(new)?,
        };
        Ok(())
    }

    /// Whether all of it has come.
    pub(super) fn is_whole(&self) -> bool {
        match &self.end {
            End::After(left) => *left == 0,
            End::Chunks(chunks) => chunks.is_done(),
        }
    }

    /// How much of what has come belongs to it.
    pub(super) fn known_bytes(&self) -> usize {
        self.known
    }

    /// How much of that is sent.
    pub(super) fn sent_bytes(&self) -> usize {
        self.sent
    }

    /// Whether all of it is sent.
    pub(super) fn is_sent(&self) -> bool {
        self.is_whole() && self.sent == self.known
    }

    /// What has come and is not sent yet.
    pub(super) fn unsent<'a>(&self, came: &'a [u8]) -> &'a [u8] {
        &came[self.sent..self.known]
    }

    /// Whether it can be sent to another target from its beginning on.
    pub(super) fn is_replayable(&self) -> bool {
        !self.is_cut
    }

    /// Begins to send it anew.
    pub(super) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Takes note of what was sent; gives up what is more than is kept.
    pub(super) fn sent(&mut self, count: usize, came: &mut BytesMut) {
        self.sent += count;
        if self.is_cut || self.sent > KEPT {
            self.is_cut = true;
            self.drop_known(self.sent, came);
        }
    }

    /// Drops what has come of it without sending it.
    pub(super) fn skip(&mut self, came: &mut BytesMut) {
        self.drop_known(self.known, came);
    }

    fn drop_known(&mut self, count: usize, came: &mut BytesMut) {
        came.advance(count);
        self.known -= count;
        self.sent = self.sent.saturating_sub(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_body_is_not_sent_with_it() {
        let mut came = BytesMut::from(&b"bodyGET /"[..]);
        let mut body = Body::sized(4);
        body.learn(&came).unwrap();
        assert_eq!((body.unsent(&came), body.is_whole()), (&b"body"[..], true));
        body.sent(4, &mut came);
        assert!(body.is_sent() && body.is_replayable());
        body.rewind();
        assert_eq!(body.unsent(&came), b"body");
        body.skip(&mut came);
        assert_eq!(&came[..], b"GET /");
    }

    #[test]
    fn a_body_in_chunks_is_known_as_it_comes() {
        let mut came = BytesMut::new();
        let mut body = Body::chunked();
        for piece in ["4\r\nbo", "dy\r\n0\r\n", "\r\nGET"] {
            assert!(!body.is_whole());
            came.extend_from_slice(piece.as_bytes());
            body.learn(&came).unwrap();
        }
        assert!(body.is_whole());
        body.skip(&mut came);
        assert_eq!(&came[..], b"GET");
    }

    #[test]
    fn a_long_body_is_not_kept() {
        let mut came = BytesMut::from(&vec![b'x'; KEPT + 9][..]);
        let mut body = Body::sized(u64::try_from(KEPT).unwrap() + 20);
        body.learn(&came).unwrap();
        body.sent(KEPT + 1, &mut came);
        assert!(!body.is_replayable() && came.len() == 8 && body.unsent(&came).len() == 8);
    }
}
