//! Repositories and tags of the registry.

use std::fmt;
use std::str::FromStr;

use model::{Digest, RepositoryName, TagName, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::page::{Limit, ListQuery, NextToken};

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Its name.
    pub repository_name: RepositoryName,
    /// How many tags it has.
    pub tags_count: u32,
    /// When it was first pushed to.
    pub created_at: Timestamp,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// Its repository.
    pub repository_name: RepositoryName,
    /// Its name.
    pub tag: TagName,
    /// The manifest that it names.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: String,
    /// Bytes of everything that it needs.
    pub size_bytes: u64,
    /// What it runs on; empty where that is not known.
    pub platforms: Vec<Platform>,
    /// TCP ports of its EXPOSE.
    pub exposed_ports: Vec<u16>,
    /// When it was last moved.
    pub pushed_at: Timestamp,
    /// Who moved it.
    pub pushed_by: String,
}

/// Which tags.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTagsQuery {
    /// Of which repository; its name may hold slashes.
    #[param(inline)]
    pub repository: RepositoryName,
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

impl ListQuery for ListTagsQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

/// An operating system and CPU architecture as one word, `linux/amd64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "linux/amd64")]
pub struct Platform(pub model::Platform);

/// Text that is no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: write it as linux/amd64")]
pub struct PlatformError(String);

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts = text.split_once('/').ok_or_else(|| PlatformError(text.to_owned()))?;
        Ok(Self(model::Platform::new(parts.0, parts.1)))
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl From<Platform> for String {
    fn from(platform: Platform) -> Self {
        platform.to_string()
    }
}

/// The verification of all images that goes on, or the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastImageVerification {
    /// Null where there was none yet.
    pub verification: Option<ImageVerification>,
}

/// How far a verification of all images is: each blob is read, and its bytes are compared with its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageVerification {
    /// When it was asked for.
    pub started_at: Timestamp,
    /// When it ended; null while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Blobs there were at its start.
    pub blobs_count: u64,
    /// Blobs that were read.
    pub checked_count: u64,
    /// Their bytes.
    pub checked_bytes: u64,
    /// Blobs whose file is gone or holds other bytes than were pushed.
    pub damaged_count: u64,
    /// The first 1,000 of them.
    pub damaged: Vec<DamagedBlob>,
}

/// A blob that is not served any more, until a push brings it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DamagedBlob {
    /// Its digest.
    pub digest: Digest,
    /// The repositories that show it.
    pub repositories: Vec<RepositoryName>,
}
