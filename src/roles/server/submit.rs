//! How link and scheduler commit Changes: through the store, stamped with the time, without knowing either.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use link::server::{Submit, SubmitError};
use model::{Change, Clock, CommitError};
use store::Store;

/// For the link: it must tell what does not fit from what could not be written.
pub(crate) fn for_link(store: &Store, clock: &Arc<dyn Clock>) -> Submit {
    let (store, clock) = (store.clone(), Arc::clone(clock));
    Arc::new(move |changes| {
        let (store, now) = (store.clone(), clock.now());
        Box::pin(async move {
            store.apply(changes, now).await.map(drop).map_err(|error| match error {
                CommitError::Refused(refusal) => SubmitError::Refused(refusal),
                CommitError::Unmet(_)
                | CommitError::GuardFailed { .. }
                | CommitError::TooLarge(_)
                | CommitError::Unavailable(_) => SubmitError::Unavailable(error.to_string()),
            })
        })
    })
}

/// For the scheduler: it plans again, whatever the reason.
pub(crate) fn for_scheduler(
    store: &Store,
    clock: &Arc<dyn Clock>,
) -> impl Fn(Vec<Change>) -> BoxFuture<'static, Result<(), CommitError>> + Send + Sync + use<> {
    let (store, clock) = (store.clone(), Arc::clone(clock));
    move |changes| {
        let (store, now) = (store.clone(), clock.now());
        Box::pin(async move { store.apply(changes, now).await.map(drop) })
    }
}
