//! How a process of the router stands to the ones before and after it. They overlap: the next one accepts from the same
//! sockets as soon as this one has let go of link and table, and this one lets what is in flight end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// The process among those of a router.
#[derive(Debug, Clone, Default)]
pub struct Generation {
    /// It is to end.
    pub ended: CancellationToken,
    /// The process before it has ended. Until then that one may have requests in flight that nobody else knows of.
    pub alone: CancellationToken,
    /// The next process takes over.
    pub relieved: CancellationToken,
    /// Link and table are let go: the next process may have them. Set by the router.
    pub let_go: CancellationToken,
}

/// How it closes: quickly where nobody serves after it, patiently where the next process does already.
#[derive(Debug, Clone)]
pub(crate) struct Closing {
    /// It takes no new work.
    pub(crate) begun: CancellationToken,
    relieved: CancellationToken,
    ended: CancellationToken,
}

/// How long something may still take once it closes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Grace {
    /// Where it is to end.
    pub(crate) ended: Duration,
    /// Where the next process has taken over.
    pub(crate) relieved: Duration,
}

impl Generation {
    /// What tells everything in it to close; inside a runtime.
    pub(crate) fn closing(&self) -> Closing {
        let begun = self.ended.child_token();
        let (relieved, also) = (self.relieved.clone(), begun.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = relieved.cancelled() => also.cancel(),
                () = also.cancelled() => {}
            }
        });
        Closing { begun, relieved: self.relieved.clone(), ended: self.ended.clone() }
    }
}

impl Closing {
    /// Returns when something that began before has had its time.
    pub(crate) async fn after(&self, grace: Grace) {
        self.begun.cancelled().await;
        let ended = async {
            self.ended.cancelled().await;
            tokio::time::sleep(grace.ended).await;
        };
        if self.relieved.is_cancelled() {
            tokio::select! {
                () = tokio::time::sleep(grace.relieved) => {}
                () = ended => {}
            }
        } else {
            // The link has failed where it has not ended.
            tokio::time::sleep(grace.ended).await;
        }
    }
}
