//! A deadline that moves with everything that happens, without a timer for each move.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep};

/// One timer for whatever a connection waits for next. It is set anew only when it fires too early or would fire too late.
#[derive(Debug, Default)]
pub(crate) struct Deadline(Option<Pin<Box<Sleep>>>);

impl Deadline {
    /// Ready once it is due.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() > due {
            timer.as_mut().reset(due);
        }
        while timer.as_mut().poll(cx).is_ready() {
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// Now, as timers count it.
#[expect(clippy::disallowed_methods, reason = "how long a socket waits, as a timer would say it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn fires(deadline: &mut Deadline, due: Instant) -> Instant {
        std::future::poll_fn(|cx| deadline.poll(cx, due)).await;
        now()
    }

    #[tokio::test(start_paused = true)]
    async fn it_fires_when_it_is_due_whatever_it_was_set_to_before() {
        let mut deadline = Deadline::default();
        let start = now();
        for seconds in [60, 10, 90, 90, 91] {
            let due = start + Duration::from_secs(seconds);
            // Nothing waits for it to fire: something else has happened before.
            let polled = std::future::poll_fn(|cx| Poll::Ready(deadline.poll(cx, due))).await;
            assert!(polled.is_pending(), "{seconds}");
        }
        for seconds in [5, 5, 20, 30] {
            let due = now() + Duration::from_secs(seconds);
            assert_eq!(fires(&mut deadline, due).await, due);
        }
    }
}
