//! The time for sockets and for `Date`. Nothing is decided on it but how long a socket waits.

use std::time::SystemTime;

use tokio::time::Instant;

/// Now, as timers count it.
#[expect(clippy::disallowed_methods, reason = "how long a socket waits, as a timer would say it")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Now, as `Date` says it (RFC 9110 section 6.6.1).
#[expect(clippy::disallowed_methods, reason = "the wall clock, for people and caches")]
pub(super) fn date() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}
