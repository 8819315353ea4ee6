//! The router without its link: views come in, reports go out, and requests are served from the moment there is a table.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use link::message::{RouterReport, Stamped};
use model::{HostIdentity, RouterView};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::keep::Keep;
use crate::proxy::Proxy;
use crate::report::Applied;
use crate::routes::Routes;
use crate::standing::Standing;
use crate::{health, listen, report};

/// How long to wait before a copy that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// A router's end of its link: the newest view, and all that it sees.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) view: watch::Receiver<Option<Stamped<RouterView>>>,
    pub(crate) report: watch::Sender<RouterReport>,
}

/// Serves until shutdown, then lets what is in flight end.
pub(crate) async fn run(
    dir: PathBuf,
    listener: TcpListener,
    here: HostIdentity,
    ends: Ends,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    let routes = Arc::new(Routes::new(here));
    let applied = Arc::new(Applied::default());
    let checks = TaskTracker::new();
    let mut keeper = Keeper {
        keep: Keep::new(&dir),
        kept: None,
        routes: Arc::clone(&routes),
        applied: Arc::clone(&applied),
        checks: checks.clone(),
        ready,
        shutdown: shutdown.clone(),
    };
    keeper.begin();
    let reports = report::run(Arc::clone(&routes), applied, ends.report, shutdown.clone());
    let proxy = Proxy { routes, closing: shutdown.clone(), port };
    tokio::join!(listen::serve(listener, proxy, shutdown), keeper.run(ends.view), reports);
    checks.close();
    checks.wait().await;
}

/// Brings views into use and onto disk; the only one who does.
struct Keeper {
    keep: Keep,
    /// The view of the copy on disk.
    kept: Option<RouterView>,
    routes: Arc<Routes>,
    applied: Arc<Applied>,
    checks: TaskTracker,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
}

impl Keeper {
    /// Starts from the copy on disk. Its targets are believed until their first checks say otherwise: a router that
    /// starts again serves at once, and a connection that does not open goes to another target anyway.
    fn begin(&mut self) {
        let Some(table) = self.keep.load() else { return };
        tracing::info!("serving from the copy on disk, of revision {}", table.revision);
        self.serve(&table.view, &Standing::presumed());
        self.kept = Some(table.view);
        self.routes.kept();
        self.applied.set((table.epoch, table.revision));
        self.tell();
    }

    /// Follows the views until shutdown.
    async fn run(mut self, mut views: watch::Receiver<Option<Stamped<RouterView>>>) {
        let shutdown = self.shutdown.clone();
        let follow = async {
            loop {
                let view = views.borrow_and_update().clone();
                let kept = match view {
                    Some(view) => self.take(view).await,
                    None => true,
                };
                if kept {
                    if views.changed().await.is_err() {
                        return std::future::pending().await;
                    }
                } else {
                    tokio::time::sleep(WRITE_AGAIN).await;
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// Serves from a view, then puts it on disk, then says so. Whether it is on disk.
    ///
    /// A view that is the same as the one on disk is not written again: after a restart the older copy serves as well.
    async fn take(&mut self, table: Stamped<RouterView>) -> bool {
        let stamp = (table.epoch, table.revision);
        if self.kept.as_ref() != Some(&table.view) {
            self.serve(&table.view, &Standing::new());
            self.tell();
            let keep = self.keep.clone();
            let written = tokio::task::spawn_blocking(move || (keep.save(&table), table)).await;
            match written {
                Ok((Ok(()), table)) => self.kept = Some(table.view),
                Ok((Err(error), _)) => {
                    let path = self.keep.path().display();
                    tracing::error!(%error, "cannot write `{path}`: until it can, nothing that drains is let go");
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, "the copy of the table was not written");
                    return false;
                }
            }
            self.routes.kept();
        }
        self.applied.set(stamp);
        self.tell();
        true
    }

    fn serve(&self, view: &RouterView, standing: &Standing) {
        for fresh in self.routes.apply(view, standing) {
            let shutdown = self.shutdown.clone();
            self.checks.spawn(async move {
                tokio::select! {
                    () = health::watch(fresh) => {}
                    () = shutdown.cancelled() => {}
                }
            });
        }
        self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
    }

    fn tell(&self) {
        self.routes.changed().notify_one();
    }
}
