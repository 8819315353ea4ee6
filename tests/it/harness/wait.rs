//! Waiting for states, never for time.

use std::time::{Duration, Instant};

/// How long a state may take to come.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until `holds` does, and says what it waited for when that does not come.
#[track_caller]
pub(crate) fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(PATIENCE, what, holds);
}

/// The same for a state that may take longer. What other processes, Docker and the API show has nothing to wake this one by,
/// so it looks again after a moment; only the state ends the wait, never the time that has passed.
#[track_caller]
pub(crate) fn until_within(patience: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = now() + patience;
    while !holds() {
        assert!(now() < deadline, "after {} s still not: {what}", patience.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's deadline is the wall's, not the product's")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
