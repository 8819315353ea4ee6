//! Each peer has one seat: who sits down later sends the one before away, since it is the same peer come back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::certificate::PeerId;

/// Who is connected.
#[derive(Debug, Default)]
pub(super) struct Seats {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    last: u64,
    by: HashMap<PeerId, (u64, CancellationToken)>,
}

/// The seat of one connection.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) peer: PeerId,
    number: u64,
    /// Cancelled when the peer comes back on another connection.
    pub(super) replaced: CancellationToken,
}

impl Seats {
    /// Takes the peer's seat.
    pub(super) fn take(&self, peer: PeerId) -> Seat {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.last += 1;
        let number = taken.last;
        let replaced = CancellationToken::new();
        if let Some((_, before)) = taken.by.insert(peer, (number, replaced.clone())) {
            before.cancel();
        }
        Seat { peer, number, replaced }
    }

    /// Does something for a connection only while it has its seat: what a connection says that was replaced is old.
    pub(super) fn while_seated(&self, seat: &Seat, act: impl FnOnce()) {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.by.get(&seat.peer).is_some_and(|(number, _)| *number == seat.number) {
            act();
        }
    }

    /// Leaves the seat; does something then, unless somebody else has it by now.
    pub(super) fn leave(&self, seat: &Seat, act: impl FnOnce()) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.by.get(&seat.peer).is_some_and(|(number, _)| *number == seat.number) {
            taken.by.remove(&seat.peer);
            act();
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{RouterId, Timestamp};

    use super::*;

    #[test]
    fn who_comes_back_takes_the_seat_and_who_was_replaced_says_nothing_more() {
        let seats = Seats::default();
        let peer = PeerId::Router(RouterId::new(Timestamp::EPOCH, [1; 10]));
        let first = seats.take(peer);
        assert!(!first.replaced.is_cancelled());
        let second = seats.take(peer);
        assert!(first.replaced.is_cancelled() && !second.replaced.is_cancelled());

        let mut said = Vec::new();
        seats.while_seated(&first, || said.push("first"));
        seats.leave(&first, || said.push("first left"));
        seats.while_seated(&second, || said.push("second"));
        seats.leave(&second, || said.push("second left"));
        seats.leave(&second, || said.push("second left again"));
        assert_eq!(said, ["second", "second left"]);
    }
}
