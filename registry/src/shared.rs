//! What all requests share.

use std::fmt;
use std::sync::Arc;

use control::Control;
use model::{Clock, Digest, RepositoryName};
use store::Reader;

use crate::access_token::Tokens;
use crate::files::Files;
use crate::lock::Locks;
use crate::upload::Uploads;
use crate::verification::Verifying;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) reader: Reader,
    pub(crate) control: Control,
    pub(crate) files: Arc<Files>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) service: String,
    pub(crate) tokens: Tokens,
    pub(crate) uploads: Uploads,
    pub(crate) verifying: Verifying,
    /// Held alone while a blob's file is put in place and its row committed.
    pub(crate) digests: Locks<Digest>,
    /// Shared by pushes of manifests, held alone by deletes: what a push has seen stays until its rows are there.
    pub(crate) repositories: Locks<RepositoryName>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("service", &self.service).finish_non_exhaustive()
    }
}
