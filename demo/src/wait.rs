//! Waiting for states with a deadline.

use std::time::Duration;

use crate::error::{DemoError, step_error};

/// How long one step may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for a state with a deadline.
pub(crate) async fn until<F, Fut>(what: &str, mut holds: F) -> Result<(), DemoError>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<bool, DemoError>>,
{
    let wait = async {
        loop {
            match holds().await {
                Ok(true) => return,
                // The server may be away for a moment: that is one of the steps.
                Ok(false) | Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.map_err(|_late| step_error(format!("after {} s still not: {what}", PATIENCE.as_secs())))
}
