//! Repositories and tags.

use model::{State, Tag};
use serde::Serialize;
use utoipa::ToSchema;

use super::at;

/// A repository.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryShape {
    pub(crate) repository_name: String,
    pub(crate) tags_count: usize,
    pub(crate) created_at: String,
}

impl RepositoryShape {
    pub(crate) fn of(state: &State, repository: &model::Repository) -> Self {
        Self {
            repository_name: repository.name.to_string(),
            tags_count: state.tags(&repository.name).count(),
            created_at: at(repository.created_at),
        }
    }
}

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TagShape {
    pub(crate) repository_name: String,
    pub(crate) tag: String,
    pub(crate) digest: String,
    pub(crate) media_type: String,
    pub(crate) size_bytes: u64,
    pub(crate) platforms: Vec<String>,
    pub(crate) exposed_ports: Vec<u16>,
    pub(crate) pushed_at: String,
    pub(crate) pushed_by: String,
}

impl TagShape {
    pub(crate) fn of(tag: &Tag) -> Self {
        Self {
            repository_name: tag.repository.to_string(),
            tag: tag.name.to_string(),
            digest: tag.digest.to_string(),
            media_type: tag.media_type.clone(),
            size_bytes: tag.size_bytes,
            platforms: tag.platforms.iter().map(ToString::to_string).collect(),
            exposed_ports: tag.exposed_ports.iter().copied().collect(),
            pushed_at: at(tag.pushed_at),
            pushed_by: tag.pushed_by.clone(),
        }
    }
}
