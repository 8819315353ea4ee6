//! The value of `Date` (RFC 9110 section 6.6.1), written once a second.

use std::cell::RefCell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

thread_local! {
    static WRITTEN: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// Now.
#[expect(clippy::disallowed_methods, reason = "the wall clock, for people and caches")]
pub(super) fn now() -> String {
    let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    WRITTEN.with_borrow_mut(|(written, text)| {
        if *written != second {
            *written = second;
            *text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        text.clone()
    })
}
