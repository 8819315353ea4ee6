//! Work that blocks, as that on files does.

use std::io;

use crate::error::RegistryError;

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, RegistryError> {
    let done = tokio::task::spawn_blocking(work).await.unwrap_or_else(|ended| Err(ended.into()));
    done.map_err(|error| RegistryError::disk(what, &error))
}
