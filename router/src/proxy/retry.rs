//! Which requests may be retried on another target after a connection was reset. Pure.
//!
//! A request that may have been executed is retried only if its method is safe to execute twice. On a pooled connection
//! that the target had already closed, most likely nothing was executed, so every idempotent method is retried; on a
//! connection that was opened for the request, only safe methods are, and once.

use http::Method;
use pingora_core::ErrorType;

/// How often a request may meet a pooled connection that the target has closed.
const MAX_STALE: u32 = 3;
/// How often a request may be reset on a connection that was opened for it.
const MAX_FRESH: u32 = 1;

/// An attempt that failed after its connection had opened.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    /// The request's method.
    pub(crate) method: &'a Method,
    /// The target closed or reset the connection before a response had begun.
    pub(crate) is_reset: bool,
    /// All of the body that was read is still buffered.
    pub(crate) is_replayable: bool,
    /// The connection had carried other requests before.
    pub(crate) reused: bool,
}

/// How often a request was reset so far.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    stale: u32,
    fresh: u32,
}

impl Retries {
    /// Whether to retry after this attempt.
    pub(crate) fn allow(&mut self, attempt: &Attempt<'_>) -> bool {
        if !attempt.is_reset || !attempt.is_replayable {
            return false;
        }
        if attempt.reused {
            self.stale += 1;
            return attempt.method.is_idempotent() && self.stale <= MAX_STALE;
        }
        self.fresh += 1;
        is_safe(attempt.method) && self.fresh <= MAX_FRESH
    }
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Whether an error means that the target closed or reset the connection.
pub(crate) fn is_reset(error: &ErrorType) -> bool {
    [ErrorType::ConnectionClosed, ErrorType::ReadError, ErrorType::WriteError].contains(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(method: &Method, reused: bool) -> Attempt<'_> {
        Attempt { method, is_reset: true, is_replayable: true, reused }
    }

    #[test]
    fn a_post_that_was_sent_is_never_retried() {
        for method in [Method::POST, Method::PATCH, Method::from_bytes(b"LOCK").unwrap()] {
            for reused in [false, true] {
                assert!(!Retries::default().allow(&attempt(&method, reused)), "{method} {reused}");
            }
        }
    }

    #[test]
    fn a_get_that_was_reset_is_retried_once_and_a_put_only_over_a_stale_pooled_connection() {
        let mut retries = Retries::default();
        assert!(retries.allow(&attempt(&Method::GET, true)), "a stale connection does not count");
        assert!(retries.allow(&attempt(&Method::GET, false)));
        assert!(!retries.allow(&attempt(&Method::GET, false)));
        assert!(Retries::default().allow(&attempt(&Method::PUT, true)));
        assert!(!Retries::default().allow(&attempt(&Method::PUT, false)));
    }

    #[test]
    fn nothing_is_retried_once_its_response_has_begun_or_its_body_is_lost() {
        let gone = Attempt { is_replayable: false, ..attempt(&Method::GET, true) };
        let answered = Attempt { is_reset: false, ..attempt(&Method::GET, true) };
        for attempt in [gone, answered] {
            assert!(!Retries::default().allow(&attempt), "{attempt:?}");
        }
    }
}
