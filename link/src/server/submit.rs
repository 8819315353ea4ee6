//! Where Changes go: the link changes State only through this, and never knows the store.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use model::{Change, Refusal};

/// Commits Changes as one batch; answers once they are durable.
pub type Submit =
    Arc<dyn Fn(Vec<Change>) -> BoxFuture<'static, Result<(), SubmitError>> + Send + Sync>;

/// Why Changes were not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// They do not fit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// They could not be written now; later they may.
    #[error("{0}")]
    Unavailable(String),
}
