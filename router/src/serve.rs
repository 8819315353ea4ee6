//! The router without its link: views come in, reports go out, and requests are served as soon as there is a table.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use link::message::{RouterReport, Stamped};
use model::{HostIdentity, RouterView};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::generation::{Closing, Generation};
use crate::health_state::HealthState;
use crate::listen::Entrance;
use crate::proxy::Proxy;
use crate::report::Applied;
use crate::routes::Routes;
use crate::table_cache::TableCache;
use crate::{health, listen, report};

/// How long to wait before a copy that could not be written is written again.
const WRITE_AGAIN: Duration = Duration::from_secs(1);

/// What a router exchanges with its link: the newest view, and its reports.
#[derive(Debug)]
pub(crate) struct LinkChannels {
    pub(crate) view: watch::Receiver<Option<Stamped<RouterView>>>,
    pub(crate) report: watch::Sender<RouterReport>,
}

/// Serves until it closes, then lets what is in flight end. The table is let go at once.
pub(crate) async fn run(
    dir: PathBuf,
    entrance: Entrance,
    here: HostIdentity,
    channels: LinkChannels,
    ready: watch::Sender<bool>,
    closing: Closing,
    generation: &Generation,
) {
    let shutdown = closing.begun.clone();
    let port = entrance.listener.local_addr().map_or(0, |address| address.port());
    let routes = Arc::new(Routes::new(here));
    let applied = Arc::new(Applied::default());
    let checks = TaskTracker::new();
    let mut updater = TableUpdater {
        cache: TableCache::new(&dir),
        cached: None,
        routes: Arc::clone(&routes),
        applied: Arc::clone(&applied),
        checks: checks.clone(),
        ready,
        shutdown: shutdown.clone(),
    };
    updater.begin();
    let alone = generation.alone.clone();
    let reports = report::run(Arc::clone(&routes), applied, channels.report, alone, shutdown);
    let trusted = Arc::clone(&entrance.trusted);
    let proxy = Proxy { routes, closing: closing.begun.clone(), port, trusted };
    let table = async {
        tokio::join!(updater.run(channels.view), reports);
        generation.let_go.cancel();
    };
    tokio::join!(listen::serve(entrance, proxy, closing), table);
    checks.close();
    checks.wait().await;
}

/// Brings views into use and onto disk; nothing else changes the table.
struct TableUpdater {
    cache: TableCache,
    /// The view on disk.
    cached: Option<RouterView>,
    routes: Arc<Routes>,
    applied: Arc<Applied>,
    checks: TaskTracker,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
}

impl TableUpdater {
    /// Starts from the table on disk. Its targets are assumed healthy until their first checks: a router that restarts
    /// serves at once, and a request whose connection does not open goes to another target anyway.
    fn begin(&mut self) {
        let Some(table) = self.cache.load() else { return };
        tracing::info!("serving from the table on disk, of revision {}", table.revision);
        self.serve(&table.view, &HealthState::assumed());
        self.cached = Some(table.view);
        self.routes.persisted();
        self.applied.set((table.epoch, table.revision));
        self.notify();
    }

    /// Follows the views until shutdown. A table that is being written then is written first: once this returns, another
    /// process may write its own.
    async fn run(mut self, mut views: watch::Receiver<Option<Stamped<RouterView>>>) {
        while !self.shutdown.is_cancelled() {
            let view = views.borrow_and_update().clone();
            let is_cached = match view {
                Some(view) => self.take(view).await,
                None => true,
            };
            let next = async {
                if !is_cached {
                    tokio::time::sleep(WRITE_AGAIN).await;
                } else if views.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = next => {}
                () = self.shutdown.cancelled() => {}
            }
        }
    }

    /// Serves from a view, then writes it to disk, then acknowledges it. Returns whether it is on disk.
    ///
    /// A view that equals the one on disk is not written again: after a restart the older stamp serves as well.
    async fn take(&mut self, table: Stamped<RouterView>) -> bool {
        let stamp = (table.epoch, table.revision);
        if self.cached.as_ref() != Some(&table.view) {
            self.serve(&table.view, &HealthState::new());
            self.notify();
            let cache = self.cache.clone();
            let written = tokio::task::spawn_blocking(move || (cache.save(&table), table)).await;
            match written {
                Ok((Ok(()), table)) => self.cached = Some(table.view),
                Ok((Err(error), _)) => {
                    let path = self.cache.path().display();
                    tracing::error!(%error, "cannot write `{path}`: until it can, no target that drains is reported as drained");
                    return false;
                }
                Err(error) => {
                    tracing::error!(%error, "the table was not written");
                    return false;
                }
            }
            self.routes.persisted();
        }
        self.applied.set(stamp);
        self.notify();
        true
    }

    fn serve(&self, view: &RouterView, health_state: &HealthState) {
        for fresh in self.routes.apply(view, health_state) {
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

    fn notify(&self) {
        self.routes.changed().notify_one();
    }
}
