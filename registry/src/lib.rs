//! The OCI distribution protocol over HTTP, with blobs as files.
//!
//! A 2xx of a write means durable: bytes synced, renamed to the name of their digest, directory synced, rows committed, in
//! that order. So a row never names a file that is not there, and a crash leaves at worst a file that no row names. A
//! manifest row means that everything it requires is readable in the same repository; what a repository shows is decided by
//! its own rows alone, however often the same bytes lie elsewhere.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use control::Control;
use model::Clock;
use store::Reader;
use tokio_util::sync::CancellationToken;

use crate::access_token::Tokens;
use crate::files::Files;
use crate::lock::Locks;
use crate::upload::Uploads;
use crate::verification::Verifying;

mod access_token;
mod blob;
mod blocking;
mod body;
mod error;
mod error_kind;
mod files;
mod header;
mod listing;
mod lock;
mod login;
mod manifest;
mod mount;
mod operation;
mod query;
mod range;
mod referrers;
mod request_context;
mod route;
mod rows;
mod scope;
mod shared;
mod token;
mod upload;
mod verification;

pub(crate) use blocking::blocking;
pub use files::disk_room::DiskRoom;
pub(crate) use shared::Shared;
pub use verification::{DamagedBlob, Verification};

#[cfg(test)]
mod tests;

/// What the registry needs.
#[derive(Clone)]
pub struct Config {
    /// What is committed.
    pub reader: Reader,
    /// What commits.
    pub control: Control,
    /// A directory of the registry's own, for blobs and uploads.
    pub dir: PathBuf,
    /// Bytes of its disk that pushes leave free; by default a twentieth of it, 1 GiB at most.
    pub low_water: Option<u64>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What the registry calls itself to clients that ask for tokens.
    pub service: String,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// Why the registry cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error(
    "the registry's directory `{dir}` cannot be prepared; check who owns it and that the disk has room"
)]
pub struct OpenError {
    dir: String,
    #[source]
    source: io::Error,
}

/// The registry; clones share it.
#[derive(Debug, Clone)]
pub struct Registry {
    shared: Arc<Shared>,
}

impl Registry {
    /// Makes the directories, and removes the uploads that earlier lives left unfinished. Blocks.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let Config { reader, control, dir, low_water, clock, service } = config;
        let failed = |source| OpenError { dir: dir.display().to_string(), source };
        let files = Files::open(&dir, low_water, Arc::clone(&clock)).map_err(failed)?;
        let tokens = Tokens::open(&dir).map_err(failed)?;
        let shared = Shared {
            reader,
            control,
            files: Arc::new(files),
            clock,
            // It stands in quotes in a header.
            service: service.replace(|c: char| !c.is_ascii_graphic() || c == '"' || c == '\\', "-"),
            tokens,
            uploads: Uploads::default(),
            verifying: Verifying::open(&dir),
            digests: Locks::default(),
            repositories: Locks::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The room of its disk. Blocks.
    pub fn room(&self) -> io::Result<DiskRoom> {
        self.shared.files.room()
    }

    /// Ends uploads that lie idle for too long, which is shorter while pushes are refused for want of room. To be called
    /// every few seconds.
    pub async fn end_idle_uploads(&self) {
        // What failed is in the log, and the next call tries again.
        upload::serve::end_idle(&self.shared).await.ok();
    }

    /// The verification of all blobs that goes on, or the last one.
    pub fn verification(&self) -> Option<Verification> {
        self.shared.verifying.get()
    }

    /// Begins one, unless one goes on; the error is a sentence for people.
    pub async fn verify(&self) -> Result<(), String> {
        let begun = verification::run::begin(&self.shared).await;
        begun.map_err(|error| error.sentence())
    }

    /// Does what [`Registry::verify`] begins, until `shutdown`.
    pub async fn run_verifications(&self, shutdown: CancellationToken) {
        verification::run::run(Arc::clone(&self.shared), shutdown).await;
    }

    /// Serves `/v2/`. Where a request's extensions hold a [`model::Principal`], that is the caller; else the request's
    /// `Authorization` header says it.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/v2", any(operation::serve))
            .route("/v2/", any(operation::serve))
            .route("/v2/{*path}", any(operation::serve))
            .with_state(Arc::clone(&self.shared))
    }
}
