//! Which requests that were cut at a target may be sent to another. Pure.
//!
//! A request that may have been executed is sent again only if its method lets it be executed twice. A pooled connection
//! that was dead already has most likely executed nothing, so there every idempotent method is sent again; a connection
//! that was made for the request may have, so there only methods that change nothing are, and once.

use http::Method;
use pingora_core::ErrorType;

/// How often a request may meet a pooled connection that is dead.
const MOST_STALE: u32 = 3;
/// How often a request may be cut on a connection that was made for it.
const MOST_FRESH: u32 = 1;

/// An attempt that failed after its connection had opened.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    /// The request's method.
    pub(super) method: &'a Method,
    /// The target broke off before the client had an answer, if only its beginning.
    pub(super) is_cut: bool,
    /// All of the body that was read can be sent again.
    pub(super) is_replayable: bool,
    /// The connection had carried other requests before.
    pub(super) reused: bool,
}

/// How often a request was cut.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    stale: u32,
    fresh: u32,
}

impl Cuts {
    /// Whether to try again after this attempt.
    pub(super) fn again(&mut self, attempt: &Attempt<'_>) -> bool {
        if !attempt.is_cut || !attempt.is_replayable {
            return false;
        }
        if attempt.reused {
            self.stale += 1;
            return attempt.method.is_idempotent() && self.stale <= MOST_STALE;
        }
        self.fresh += 1;
        is_harmless(attempt.method) && self.fresh <= MOST_FRESH
    }
}

fn is_harmless(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Whether an error means that the target broke off.
pub(super) fn is_cut(error: &ErrorType) -> bool {
    [ErrorType::ConnectionClosed, ErrorType::ReadError, ErrorType::WriteError].contains(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(method: &Method, reused: bool) -> Attempt<'_> {
        Attempt { method, is_cut: true, is_replayable: true, reused }
    }

    #[test]
    fn a_post_that_was_sent_is_never_sent_again() {
        for method in [Method::POST, Method::PATCH, Method::from_bytes(b"LOCK").unwrap()] {
            for reused in [false, true] {
                assert!(!Cuts::default().again(&attempt(&method, reused)), "{method} {reused}");
            }
        }
    }

    #[test]
    fn a_get_that_was_cut_is_sent_again_once_and_a_put_only_over_a_dead_pooled_connection() {
        let mut cuts = Cuts::default();
        assert!(cuts.again(&attempt(&Method::GET, true)), "a dead connection is no cut");
        assert!(cuts.again(&attempt(&Method::GET, false)));
        assert!(!cuts.again(&attempt(&Method::GET, false)));
        assert!(Cuts::default().again(&attempt(&Method::PUT, true)));
        assert!(!Cuts::default().again(&attempt(&Method::PUT, false)));
    }

    #[test]
    fn nothing_is_sent_again_once_its_answer_has_begun_or_its_body_is_gone() {
        let gone = Attempt { is_replayable: false, ..attempt(&Method::GET, true) };
        let answered = Attempt { is_cut: false, ..attempt(&Method::GET, true) };
        for attempt in [gone, answered] {
            assert!(!Cuts::default().again(&attempt), "{attempt:?}");
        }
    }
}
