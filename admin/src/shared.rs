//! What handlers share, and what the API needs of the rest of the server.

use std::fmt;
use std::sync::Arc;

use api::ImageVerification;
use bytes::Bytes;
use control::Control;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use model::{ContainerName, InstanceId, TaskId};
use tokio::sync::watch;

/// What the API needs of the rest of the server.
#[derive(Clone)]
pub struct Admin {
    /// What does what is asked for.
    pub control: Control,
    /// Where logs of running tasks come from.
    pub logs: Arc<dyn Logs>,
    /// What reads all images.
    pub images: Arc<dyn Images>,
    /// Whether registry and router accept and the local instance is ready, with a sentence where not.
    pub ready: watch::Receiver<Readiness>,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("control", &self.control).finish_non_exhaustive()
    }
}

/// Whether the server is ready, part by part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Readiness {
    /// Each part, and why it is not ready where it is not.
    pub parts: Vec<(&'static str, Result<(), String>)>,
    /// What somebody should see to, though every part is ready.
    pub warnings: Vec<String>,
}

impl Readiness {
    /// Whether every part is ready; false while none is known.
    pub fn all(&self) -> bool {
        !self.parts.is_empty() && self.parts.iter().all(|(_, state)| state.is_ok())
    }
}

/// Where logs of running tasks come from.
pub trait Logs: Send + Sync {
    /// The log lines of a task, each as `CONTAINER TEXT`; the error is a sentence for people.
    fn open(
        &self,
        instance: InstanceId,
        task: TaskId,
        container: Option<ContainerName>,
        follow: bool,
        tail: Option<u32>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Bytes>, String>>;
}

/// What reads all images of the registry and compares them with their digests.
pub trait Images: Send + Sync {
    /// The verification that goes on, or the last one.
    fn verification(&self) -> Option<ImageVerification>;

    /// Begins one, unless one goes on; the error is a sentence for people.
    fn verify(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// What handlers share.
pub(crate) type Api = Arc<Admin>;
