//! Waiting with a deadline.

use std::time::Duration;

/// Waits for something, and fails if it takes too long.
pub(super) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| panic!("{what} does not come"))
}
