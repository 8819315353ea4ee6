//! Repositories and tags.

use api::Platform;
use model::State;

use super::count;

/// A repository.
pub(crate) fn repository(state: &State, repository: &model::Repository) -> api::Repository {
    api::Repository {
        repository_name: repository.name.clone(),
        tags_count: count(state.tags(&repository.name)),
        created_at: repository.created_at,
    }
}

/// A tag.
pub(crate) fn tag(tag: &model::Tag) -> api::Tag {
    api::Tag {
        repository_name: tag.repository.clone(),
        tag: tag.name.clone(),
        digest: tag.digest,
        media_type: tag.media_type.clone(),
        size_bytes: tag.size_bytes,
        platforms: tag.platforms.iter().cloned().map(Platform).collect(),
        exposed_ports: tag.exposed_ports.iter().copied().collect(),
        pushed_at: tag.pushed_at,
        pushed_by: tag.pushed_by.clone(),
    }
}
