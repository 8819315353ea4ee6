//! From image names to digests: images are those of Berth's own registry, as their tags are now.

use std::collections::BTreeMap;

use model::{
    ContainerDefinition, ContainerName, ImageReference, PinnedImage, Reference, RowGuard, State,
    TaskDefinition,
};

use crate::refused::DeployError;
use crate::{Setup, View};

/// Berth runs images of its own registry only, however people write its address.
pub(crate) fn check_registry(setup: &Setup, image: &ImageReference) -> Result<(), DeployError> {
    let Some(registry) = &image.registry else { return Ok(()) };
    let own = &setup.registry_address;
    let port = own.rsplit(':').next().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| *registry == format!("{host}:{port}"));
    if registry == own || loopback {
        return Ok(());
    }
    Err(DeployError::ForeignRegistry { image: Box::new(image.clone()), own: own.clone() })
}

/// The digest of each container's image as its tag is now.
pub(crate) fn images(
    view: &View<'_>,
    definition: &TaskDefinition,
) -> Result<BTreeMap<ContainerName, PinnedImage>, DeployError> {
    let pin = |container: &ContainerDefinition| {
        check_registry(view.setup, &container.image)?;
        Ok((container.name.clone(), image(view.state, view.setup, &container.image)?))
    };
    definition.container_definitions.iter().map(pin).collect()
}

/// What must hold when it is committed: the registry has every image that State does not vouch for, as one that is named by
/// digest and has no tag any more.
pub(crate) fn guards<'a>(
    state: &State,
    images: impl IntoIterator<Item = &'a PinnedImage>,
) -> Vec<RowGuard> {
    let is_known = |image: &PinnedImage| {
        let mut tags = state.tags(&image.repository);
        tags.any(|tag| tag.digest == image.digest)
            || state.image_user(&image.repository, &image.digest).is_some()
    };
    let unknown = images.into_iter().filter(|image| !is_known(image));
    unknown.map(|image| RowGuard::Present(image.row_key())).collect()
}

fn image(state: &State, setup: &Setup, image: &ImageReference) -> Result<PinnedImage, DeployError> {
    let repository = image.repository.clone();
    let digest = match &image.reference {
        Reference::Digest(digest) => *digest,
        Reference::Tag(tag) => {
            state.tag(&repository, tag).ok_or_else(|| missing(setup, image))?.digest
        }
    };
    Ok(PinnedImage { repository, digest })
}

/// The image is not there.
pub(crate) fn missing(setup: &Setup, image: &ImageReference) -> DeployError {
    let own = setup.registry_address.clone();
    DeployError::ImageMissing { image: Box::new(image.clone()), own }
}
