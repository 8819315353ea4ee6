//! How long to wait before a role is started again: not at all the first time, so that a killed one is back at once, then
//! longer and longer, until it has run for a while.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(15);
/// A role that ran for this long was fine.
const FINE: Duration = Duration::from_secs(20);

/// The pauses of one role.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// The pause after a role that ran for so long.
    pub(crate) fn after(&mut self, ran: Duration) -> Duration {
        if ran >= FINE {
            self.next = Duration::ZERO;
        }
        let pause = self.next;
        self.next = (pause * 2).clamp(FIRST, LONGEST);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_role_is_back_at_once_and_a_broken_one_is_not_tried_without_end() {
        let mut backoff = Backoff::default();
        let short = Duration::from_millis(10);
        assert_eq!(backoff.after(short), Duration::ZERO);
        assert_eq!(backoff.after(short), FIRST);
        assert_eq!(backoff.after(short), FIRST * 2);
        for _ in 0..20 {
            backoff.after(short);
        }
        assert_eq!(backoff.after(short), LONGEST);
        assert_eq!(backoff.after(FINE), Duration::ZERO);
    }
}
