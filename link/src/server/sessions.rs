//! Each peer has one session: a new connection of a peer replaces the one before, since a peer dials only after it has
//! lost its last connection.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::certificate::PeerId;

/// The connected peers.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_peer: HashMap<PeerId, (u64, CancellationToken)>,
}

/// One connection's session.
#[derive(Debug, Clone)]
pub(super) struct SessionHandle {
    pub(super) peer: PeerId,
    number: u64,
    /// Cancelled when the peer comes back on another connection.
    pub(super) replaced: CancellationToken,
}

impl Sessions {
    /// Opens a session, and cancels the peer's one before.
    pub(super) fn open(&self, peer: PeerId) -> SessionHandle {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last += 1;
        let number = open.last;
        let replaced = CancellationToken::new();
        if let Some((_, before)) = open.by_peer.insert(peer, (number, replaced.clone())) {
            before.cancel();
        }
        SessionHandle { peer, number, replaced }
    }

    /// Acts for a connection unless it was replaced: what comes over a replaced one is outdated.
    pub(super) fn if_current(&self, session: &SessionHandle, act: impl FnOnce()) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.by_peer.get(&session.peer).is_some_and(|(number, _)| *number == session.number) {
            act();
        }
    }

    /// Closes the session; acts then, unless the connection was replaced.
    pub(super) fn close(&self, session: &SessionHandle, act: impl FnOnce()) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.by_peer.get(&session.peer).is_some_and(|(number, _)| *number == session.number) {
            open.by_peer.remove(&session.peer);
            act();
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{RouterId, Timestamp};

    use super::*;

    #[test]
    fn a_new_connection_replaces_the_one_before_which_has_no_effect_any_more() {
        let sessions = Sessions::default();
        let peer = PeerId::Router(RouterId::new(Timestamp::EPOCH, [1; 10]));
        let first = sessions.open(peer);
        assert!(!first.replaced.is_cancelled());
        let second = sessions.open(peer);
        assert!(first.replaced.is_cancelled() && !second.replaced.is_cancelled());

        let mut effects = Vec::new();
        sessions.if_current(&first, || effects.push("first"));
        sessions.close(&first, || effects.push("first closed"));
        sessions.if_current(&second, || effects.push("second"));
        sessions.close(&second, || effects.push("second closed"));
        sessions.close(&second, || effects.push("second closed again"));
        assert_eq!(effects, ["second", "second closed"]);
    }
}
