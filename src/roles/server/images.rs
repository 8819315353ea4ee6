//! The registry's verification of all images, as the admin API tells it.

use admin::Images;
use api::{DamagedBlob, ImageVerification};
use futures_util::future::BoxFuture;
use registry::Registry;

/// The registry of this server.
#[derive(Debug, Clone)]
pub(crate) struct OfRegistry(pub(crate) Registry);

impl Images for OfRegistry {
    fn verification(&self) -> Option<ImageVerification> {
        let known = self.0.verification()?;
        let damaged = known.listed.into_iter();
        let damaged = damaged
            .map(|blob| DamagedBlob { digest: blob.digest, repositories: blob.repositories });
        Some(ImageVerification {
            started_at: known.started_at,
            ended_at: known.ended_at,
            blobs_count: known.blobs,
            checked_count: known.checked,
            checked_bytes: known.bytes,
            damaged_count: known.damaged,
            damaged: damaged.collect(),
        })
    }

    fn verify(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.0.verify())
    }
}
