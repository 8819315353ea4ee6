//! The only reader of clocks. Everything else is handed one, so tests and simulations own time.

use std::time::{Duration, Instant, SystemTime};

use model::{Clock, Timestamp};

/// The host's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since)
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

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the monotonic clock"
)]
fn monotonic() -> Instant {
    Instant::now()
}
