//! The store as `control` sees it, with what the tests report and set.

use std::sync::Arc;

use control::{Backend, Control, Setup};
use futures_util::future::BoxFuture;
use model::{
    Batch, Clock, CommitError, History, HistoryPlace, HistoryQuery, LeaseTimes, Observed, State,
};
use store::Store;
use tokio::sync::watch;

use crate::Readiness;

struct TestServer {
    store: Store,
    observed: watch::Receiver<Observed>,
    ready: watch::Receiver<Readiness>,
}

impl Backend for TestServer {
    fn state(&self) -> State {
        self.store.state()
    }

    fn observed(&self) -> Observed {
        self.observed.borrow().clone()
    }

    fn router_port(&self) -> u16 {
        8080
    }

    fn is_ready(&self) -> bool {
        self.ready.borrow().all()
    }

    fn registry_disk(&self) -> Option<api::RegistryDisk> {
        Some(api::RegistryDisk { total_mib: 100, free_mib: 4, low_water_mib: 5, is_low: true })
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

pub(super) fn control(
    store: &Store,
    observed: watch::Receiver<Observed>,
    ready: watch::Receiver<Readiness>,
    clock: Arc<dyn Clock>,
) -> Control {
    let setup = Setup {
        version: "1.2.3".to_owned(),
        epoch: store.epoch(),
        region: "local".parse().unwrap(),
        lease: LeaseTimes::default(),
        registry_address: "localhost:5000".to_owned(),
        link_address: "127.0.0.1:7071".to_owned(),
        ca_fingerprint: "ab".repeat(32),
    };
    let server = TestServer { store: store.clone(), observed, ready };
    Control::new(Arc::new(server), clock, setup, |bytes| rand::fill(bytes))
}
