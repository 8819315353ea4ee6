//! How long to wait after failures: the pause doubles with each failure in a row, up to a longest one, and jitter spreads
//! those who failed together, so that they do not come back together.

use std::time::Duration;

/// Pauses that double from the first up to the longest. Each is drawn from the upper half of its span: never shorter than
/// half of it, so that a pause is always longer than the one before until the longest is reached.
///
/// Randomness is an argument: what decides again and again on one pause hands in the same draw each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Spans from `first` to `longest`; nothing has failed yet.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// Counts one more failure and says how long to wait now.
    pub fn fail(&mut self, random: u64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.after(self.failures, random)
    }

    /// It worked: the next failure is the first again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// Failures since the beginning or the last reset.
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// How long to wait after so many failures in a row, where somebody else counts them; not at all after none.
    pub fn after(&self, failures: u32, random: u64) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let span = self.first.saturating_mul(factor).min(self.longest);
        // The upper 32 bits, as a share of the half that is left to chance.
        let share =
            f64::from(u32::try_from(random >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        (span / 2 + (span / 2).mul_f64(share)).min(span)
    }

    /// The longest pause: after it has passed, no failure holds anything up any more.
    pub const fn longest(&self) -> Duration {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn backoffs() -> impl Strategy<Value = Backoff> {
        (1_u64..10_000, 1_u32..1_000).prop_map(|(first, times)| {
            let first = Duration::from_millis(first);
            Backoff::new(first, first * times)
        })
    }

    proptest! {
        #[test]
        fn a_pause_stays_in_the_upper_half_of_its_span(
            backoff in backoffs(), failures in 1_u32..100, random: u64,
        ) {
            let span = backoff.first.saturating_mul(2_u32.saturating_pow(failures - 1));
            let span = span.min(backoff.longest);
            let pause = backoff.after(failures, random);
            prop_assert!(span / 2 <= pause && pause <= span, "{pause:?} of {span:?}");
        }

        #[test]
        fn pauses_grow_until_the_longest_and_begin_anew_after_a_reset(
            backoff in backoffs(), draws in prop::collection::vec(any::<u64>(), 2..40),
        ) {
            let mut growing = backoff;
            let mut last = Duration::ZERO;
            for draw in &draws {
                let pause = growing.fail(*draw);
                let is_longest = pause >= backoff.longest / 2;
                prop_assert!(pause >= last || is_longest, "{pause:?} after {last:?}");
                last = pause;
            }
            prop_assert_eq!(usize::try_from(growing.failures()), Ok(draws.len()));
            growing.reset();
            prop_assert_eq!(growing, backoff);
            prop_assert!(growing.fail(draws[0]) <= backoff.first);
        }

        #[test]
        fn the_same_draw_gives_the_same_pause(
            backoff in backoffs(), failures: u32, random: u64,
        ) {
            prop_assert_eq!(backoff.after(failures, random), backoff.after(failures, random));
        }
    }

    #[test]
    fn nothing_is_waited_for_before_the_first_failure() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        assert_eq!(backoff.after(0, u64::MAX), Duration::ZERO);
    }

    #[test]
    fn those_who_failed_together_come_back_spread_over_half_of_the_pause() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
        let draw = |n: u64| n << 54;
        let pauses: BTreeSet<_> = (0..1024).map(|n| backoff.after(3, draw(n))).collect();
        assert_eq!(pauses.len(), 1024);
        let tenths = pauses.iter().map(|pause| pause.as_millis() / 200);
        assert_eq!(tenths.collect::<BTreeSet<_>>(), (10..20).collect());
    }
}
