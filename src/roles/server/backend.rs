//! The server as `control` sees it: the store, what peers report, and where the local router listens.

use std::sync::Arc;

use api::RegistryDisk;
use control::{Backend, Control, Setup};
use futures_util::future::BoxFuture;
use model::{Batch, Clock, CommitError, History, HistoryPlace, HistoryQuery, Observed, State};
use rand::Rng as _;
use store::Store;
use supervisor::Layout;
use supervisor::endpoints::Endpoints;
use tokio::sync::watch;

/// What commits for people and their programs, and only that.
pub(crate) struct ServerBackend {
    pub(crate) store: Store,
    pub(crate) observed: watch::Receiver<Observed>,
    pub(crate) readiness: watch::Receiver<admin::Readiness>,
    pub(crate) disk: watch::Receiver<Option<RegistryDisk>>,
    pub(crate) layout: Layout,
    /// The port that the router is told to listen on; zero where it chooses by itself.
    pub(crate) router_port: u16,
}

impl ServerBackend {
    /// What does what people and their programs ask for.
    pub(crate) fn into_control(self, clock: &Arc<dyn Clock>, setup: Setup) -> Control {
        let fill: fn(&mut [u8]) = |bytes| rand::rng().fill_bytes(bytes);
        Control::new(Arc::new(self), Arc::clone(clock), setup, fill)
    }
}

impl Backend for ServerBackend {
    fn state(&self) -> State {
        self.store.state()
    }

    fn observed(&self) -> Observed {
        self.observed.borrow().clone()
    }

    /// The local router may come later than the server, and chooses its port itself where that is left open.
    fn router_port(&self) -> u16 {
        Endpoints::read(&self.layout).router.map_or(self.router_port, |at| at.port())
    }

    fn is_ready(&self) -> bool {
        self.readiness.borrow().all()
    }

    fn registry_disk(&self) -> Option<RegistryDisk> {
        *self.disk.borrow()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<State, CommitError>> {
        Box::pin(self.store.commit(batch))
    }

    fn history(
        &self,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<(HistoryPlace, History)>, String>> {
        Box::pin(
            async move { self.store.history_page(query).await.map_err(|error| error.to_string()) },
        )
    }
}
