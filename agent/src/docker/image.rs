//! Images on this host: found by digest under any name, pulled through the agent's own mirror.

use std::sync::Arc;
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, ListImagesOptions, RemoveImageOptions};
use futures_util::StreamExt as _;
use model::{PinnedImage, Platform};
use tokio::sync::Semaphore;

use super::{ASK, Engine, LIST, docker_error, is_missing, within};
use crate::error::{DockerError, MirrorError};
use crate::mirror::Mirror;
use crate::op::{Found, WrongPlatform};

/// A pull without progress for this long has failed.
const PULL_IDLE: Duration = Duration::from_mins(2);
const REMOVE: Duration = Duration::from_mins(2);
/// How many pulls run at once; more would only share the same disk and network.
const PULLS: usize = 3;

/// Limits how many pulls run at once.
pub(crate) fn pull_limit() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(PULLS))
}

/// Why a pull failed.
#[derive(Debug)]
pub(super) enum PullError {
    /// By the mirror, which knows the cause.
    Mirror(MirrorError),
    /// By Docker, which could not read a layer: one is compressed with zstd.
    Zstd(DockerError),
    /// By Docker.
    Docker(DockerError),
}

impl Engine {
    /// Looks the image up on this host: under the mirror's name, or under any name with its digest, so that an image that was
    /// pushed from this host is not pulled again.
    pub(super) async fn find(
        &self,
        mirror: &Mirror,
        image: &PinnedImage,
        platform: &Platform,
    ) -> Result<Option<Found>, DockerError> {
        let found = match self.inspect_image(&mirror.name(image)).await? {
            Some(found) => Some(found),
            None => match self.named_otherwise(image).await? {
                Some(id) => self.inspect_image(&id).await?,
                None => None,
            },
        };
        Ok(found.and_then(|found| usable(found, image, platform)))
    }

    async fn inspect_image(&self, name: &str) -> Result<Option<ImageInspect>, DockerError> {
        match within(ASK, self.docker.inspect_image(name)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn named_otherwise(&self, image: &PinnedImage) -> Result<Option<String>, DockerError> {
        let suffix = format!("@{}", image.digest);
        let all = within(LIST, self.docker.list_images(None::<ListImagesOptions>)).await?;
        let mut known = all.into_iter();
        let found = known.find(|one| one.repo_digests.iter().any(|name| name.ends_with(&suffix)));
        Ok(found.map(|one| one.id))
    }

    /// The names of the images that were pulled through the mirror.
    pub(crate) async fn pulled(&self, mirror: &Mirror) -> Result<Vec<String>, DockerError> {
        let all = within(LIST, self.docker.list_images(None::<ListImagesOptions>)).await?;
        let names = all.into_iter().flat_map(|one| one.repo_digests);
        Ok(names.filter(|name| mirror.has_brought(name)).collect())
    }

    /// Removes a name of an image, and with its last name the image. Docker keeps one that a container uses.
    pub(crate) async fn forget_image(&self, name: &str) {
        let options = None::<RemoveImageOptions>;
        match within(REMOVE, self.docker.remove_image(name, options, None)).await {
            Ok(_) => tracing::info!("removed image `{name}`, which no task has needed for a while"),
            Err(error) => tracing::debug!("image `{name}` stays: {error}"),
        }
    }

    /// Pulls the image through the mirror. Dropping the future cancels it.
    pub(super) async fn pull(
        &self,
        mirror: &Arc<Mirror>,
        image: &PinnedImage,
    ) -> Result<(), PullError> {
        let credentials = mirror.issue_credentials();
        let options = CreateImageOptions {
            from_image: Some(mirror.name(image)),
            ..CreateImageOptions::default()
        };
        let docker_credentials = DockerCredentials {
            username: Some(credentials.user().to_owned()),
            password: Some(credentials.secret().to_owned()),
            ..DockerCredentials::default()
        };
        let mut stream =
            Box::pin(self.docker.create_image(Some(options), None, Some(docker_credentials)));
        loop {
            let error = match tokio::time::timeout(PULL_IDLE, stream.next()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(error))) => docker_error(error),
                Err(_) => DockerError::Timeout(PULL_IDLE),
            };
            return Err(match credentials.failure() {
                Some(failure) => PullError::Mirror(failure),
                None if credentials.has_zstd() => PullError::Zstd(error),
                None => PullError::Docker(error),
            });
        }
    }
}

fn usable(found: ImageInspect, image: &PinnedImage, platform: &Platform) -> Option<Found> {
    let built_for = Platform::new(
        found.os.filter(|os| !os.is_empty()).unwrap_or_else(|| platform.os.clone()),
        found
            .architecture
            .filter(|architecture| !architecture.is_empty())
            .unwrap_or_else(|| platform.architecture.clone()),
    );
    let unfit = (built_for != *platform).then(|| {
        Box::new(WrongPlatform { image: image.clone(), built_for, host: platform.clone() })
    });
    let stop_signal = found.config.and_then(|config| config.stop_signal);
    Some(Found {
        id: found.id?.into(),
        stop_signal: stop_signal.filter(|signal| !signal.is_empty()),
        unfit,
    })
}
