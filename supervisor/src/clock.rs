//! The only reader of clocks. Everything else is handed one, so tests and simulations own time.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use model::{Clock, Timestamp};

/// How far the wall clock may be ahead before it is followed: what clocks differ by is no jump.
const AHEAD: Duration = Duration::from_secs(1);

/// The host's clocks: the wall clock as it was when this process first asked, and from there the monotonic one. So a clock
/// that is set back freezes no lease and no deadline; one that is set forward is followed, as after a host has slept.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        static STEADY: OnceLock<(Instant, Steady)> = OnceLock::new();
        let (monotonic, wall) = (monotonic(), wall());
        let (started, steady) = STEADY.get_or_init(|| (monotonic, Steady::new(wall)));
        Timestamp::EPOCH.plus(steady.at(monotonic.duration_since(*started), wall))
    }
}

/// A clock that goes on steadily, whatever the wall clock does but jump forward.
#[derive(Debug)]
struct Steady {
    /// The wall clock at the start.
    from: Duration,
    /// By how many milliseconds it was set forward since.
    forward: AtomicU64,
}

impl Steady {
    fn new(wall: Duration) -> Self {
        Self { from: wall, forward: AtomicU64::new(0) }
    }

    /// The time so long after the start, at which the wall clock says `wall`. Both are since the epoch.
    fn at(&self, elapsed: Duration, wall: Duration) -> Duration {
        let steady = self.from + elapsed;
        let ahead = wall.saturating_sub(steady);
        let before = Duration::from_millis(self.forward.load(Ordering::Relaxed));
        if ahead <= before + AHEAD {
            return steady + before;
        }
        let ahead = u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX);
        let forward = self.forward.fetch_max(ahead, Ordering::Relaxed).max(ahead);
        steady + Duration::from_millis(forward)
    }
}

/// How long something took; a clock that is set in between does not change it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    started: Instant,
    lapped: Instant,
}

impl Default for Stopwatch {
    fn default() -> Self {
        let now = monotonic();
        Self { started: now, lapped: now }
    }
}

impl Stopwatch {
    /// Since the last lap, or the start.
    pub fn lap(&mut self) -> Duration {
        let now = monotonic();
        now.duration_since(std::mem::replace(&mut self.lapped, now))
    }

    /// Since the start.
    pub fn whole(&self) -> Duration {
        monotonic().duration_since(self.started)
    }
}

/// What the wall clock says, since the epoch.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
fn wall() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the monotonic clock"
)]
fn monotonic() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_and_one_that_is_set_forward_is_followed() {
        let seconds = Duration::from_secs;
        let clock = Steady::new(seconds(1_000));
        assert_eq!(clock.at(seconds(5), seconds(1_005)), seconds(1_005));
        assert_eq!(clock.at(seconds(6), seconds(10)), seconds(1_006), "set back");
        assert_eq!(clock.at(seconds(7), seconds(11)), seconds(1_007), "and it goes on");
        assert_eq!(clock.at(seconds(8), Duration::from_millis(1_008_900)), seconds(1_008));
        assert_eq!(clock.at(seconds(9), seconds(5_009)), seconds(5_009), "set forward");
        assert_eq!(clock.at(seconds(10), seconds(1_010)), seconds(5_010), "and back again");
    }
}
