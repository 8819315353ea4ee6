//! What is remembered of who asked for what. Operations that were done are remembered in their own batch; of those that were
//! denied, as many as do not push the rest of history out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::{AuditEvent, AuditOutcome, History, Timestamp};

use crate::operation::Effect;
use crate::{Caller, Operation};

/// Denials that are remembered in one [`WINDOW`] at most: somebody who may nothing must not fill history.
const MOST_DENIALS: u32 = 30;
/// What denials are counted in.
const WINDOW: Duration = Duration::from_mins(1);

/// What is remembered of an operation; nothing of one that changes nothing, or that another one makes seen.
pub(crate) fn event(
    caller: &Caller,
    operation: Operation,
    resource: String,
    outcome: AuditOutcome,
    at: Timestamp,
) -> Option<History> {
    (operation.entry().effect == Effect::Changes).then(|| {
        History::Audit(AuditEvent {
            at,
            principal: caller.principal.clone(),
            operation: operation.as_str().to_owned(),
            action: operation.action().as_str().to_owned(),
            resource,
            source: caller.source,
            request_id: caller.request_id.clone(),
            outcome,
        })
    })
}

/// How many denials were remembered lately.
#[derive(Debug, Default)]
pub(crate) struct Denials(Mutex<Option<(Timestamp, u32)>>);

impl Denials {
    /// Whether one more is to be remembered.
    pub(crate) fn admits(&self, now: Timestamp) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = match *counted {
            Some((since, count)) if now.since(since) < WINDOW => (since, count + 1),
            Some(_) | None => (now, 1),
        };
        *counted = Some((since, count));
        count <= MOST_DENIALS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_denials_a_minute_are_remembered() {
        let denials = Denials::default();
        let at = |second: i64| Timestamp::from_millis(second * 1_000);
        assert_eq!((0..100).filter(|_| denials.admits(at(1))).count(), 30);
        assert!(!denials.admits(at(60)) && denials.admits(at(62)));
    }
}
