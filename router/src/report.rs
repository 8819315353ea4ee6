//! Reports to the server which table the router serves from and how its targets are, each time all of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use link::message::RouterReport;
use model::{Epoch, StateRevision};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::routes::Routes;

/// Between two reports: the first change is reported at once, those that follow closely go together.
const SPACING: Duration = Duration::from_millis(20);
/// How long what is in flight at targets that do not drain may go unreported.
const REFRESH: Duration = Duration::from_secs(5);

/// The table that is served from and lies on disk.
#[derive(Debug, Default)]
pub(crate) struct Applied(Mutex<Option<(Epoch, StateRevision)>>);

impl Applied {
    /// Acknowledges this table.
    pub(crate) fn set(&self, stamp: (Epoch, StateRevision)) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamp);
    }

    fn get(&self) -> Option<(Epoch, StateRevision)> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports whenever something has changed, until shutdown. Nothing is reported before there is a table, and no target as
/// drained while the process before this one may still have requests in flight there.
pub(crate) async fn run(
    routes: Arc<Routes>,
    applied: Arc<Applied>,
    report: watch::Sender<RouterReport>,
    alone: CancellationToken,
    shutdown: CancellationToken,
) {
    let changes = async {
        loop {
            // Late is the same as changed.
            tokio::time::timeout(REFRESH, routes.changed().notified()).await.ok();
            if routes.serving().is_known() {
                // In this order: a report that acknowledges a table must not miss what that table removed.
                let applied = applied.get();
                let mut targets = routes.seen();
                if !alone.is_cancelled() {
                    for target in targets.iter_mut().filter(|target| target.seen.draining) {
                        target.seen.in_flight = target.seen.in_flight.max(1);
                    }
                }
                let seen = RouterReport { applied, targets };
                report.send_if_modified(|last| {
                    let differs = *last != seen;
                    *last = seen;
                    differs
                });
            }
            tokio::time::sleep(SPACING).await;
        }
    };
    let changes_alone = async {
        alone.cancelled().await;
        routes.changed().notify_one();
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(changes, changes_alone) } => {}
        () = shutdown.cancelled() => {}
    }
}
