//! Changes of repositories and their tags.

use serde::{Deserialize, Serialize};

use crate::image::{Repository, Tag};
use crate::name::{RepositoryName, TagName};

/// What may happen to a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RepositoryChange {
    /// A new one. Recording one that is known touches nothing.
    Create(Repository),
    /// Moves a tag.
    PutTag(Tag),
    /// Removes a tag. Refused when there is none.
    RemoveTag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: TagName,
    },
}
