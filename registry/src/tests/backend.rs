//! The store as `control` sees it, without anything else of a server around it.

use std::sync::Arc;

use control::{Backend, Control, Setup};
use futures_util::future::BoxFuture;
use model::{
    Batch, Clock, CommitError, History, HistoryPlace, HistoryQuery, LeaseTimes, Observed, State,
    Timestamp,
};
use store::Store;

struct Alone(Store);

impl Backend for Alone {
    fn state(&self) -> State {
        self.0.state()
    }

    fn observed(&self) -> Observed {
        Observed::new(Timestamp::EPOCH)
    }

    fn router_port(&self) -> u16 {
        0
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<State, CommitError>> {
        Box::pin(self.0.commit(batch))
    }

    fn history(
        &self,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<(HistoryPlace, History)>, String>> {
        Box::pin(async move { self.0.history_page(query).await.map_err(|error| error.to_string()) })
    }
}

pub(super) fn control(store: &Store, clock: Arc<dyn Clock>) -> Control {
    let setup = Setup {
        version: "1".to_owned(),
        epoch: store.epoch(),
        region: "local".parse().unwrap(),
        lease: LeaseTimes::default(),
        registry_address: "localhost:5000".to_owned(),
        link_address: String::new(),
        ca_fingerprint: String::new(),
    };
    Control::new(Arc::new(Alone(store.clone())), clock, setup, |bytes| bytes.fill(1))
}
