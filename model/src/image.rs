//! Repositories, tags, and how an image is named.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cluster::Platform;
use crate::digest::Digest;
use crate::name::{NameError, RepositoryName, TagName};
use crate::time::Timestamp;

/// A repository of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repository {
    /// Its name.
    pub name: RepositoryName,
    /// When it was first pushed to.
    pub created_at: Timestamp,
}

/// A tag and what the scheduler must know of the manifest that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tag {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub name: TagName,
    /// The manifest that it names: an image's, or an index's as it was pushed.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: String,
    /// Bytes of the manifest, its config and its layers; of an index, of all its images that are there.
    pub size_bytes: u64,
    /// What the image runs on. Attestation manifests of an index do not count. Empty: unknown, so anywhere.
    pub platforms: BTreeSet<Platform>,
    /// TCP ports of the image's EXPOSE, lowest first.
    pub exposed_ports: BTreeSet<u16>,
    /// When the tag was last moved.
    pub pushed_at: Timestamp,
    /// Who moved it.
    pub pushed_by: String,
}

impl Tag {
    /// Names it among all tags.
    pub fn key(&self) -> TagKey {
        TagKey { repository: self.repository.clone(), name: self.name.clone() }
    }
}

/// Names a tag among all: `repository:tag`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagKey {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub name: TagName,
}

impl fmt::Display for TagKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.name)
    }
}

impl FromStr for TagKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (repository, name) = text.rsplit_once(':').unwrap_or((text, ""));
        Ok(Self { repository: repository.parse()?, name: name.parse()? })
    }
}

/// A tag or a digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// By tag: the service follows it.
    Tag(TagName),
    /// By digest: it never changes.
    Digest(Digest),
}

/// How a task definition names an image: `[host[:port]/]repository[:tag|@digest]`, tag `latest` by default.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    /// The registry's host and port where one was written; Berth runs only images of its own registry.
    pub registry: Option<String>,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag or digest.
    pub reference: Reference,
}

/// Text that does not name an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ImageReferenceError {
    pub(crate) text: String,
    pub(crate) reason: String,
}

impl FromStr for ImageReference {
    type Err = ImageReferenceError;

    fn from_str(text: &str) -> Result<Self, ImageReferenceError> {
        let wrong =
            |reason: String| ImageReferenceError { text: text.chars().take(300).collect(), reason };
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                (name, Some(digest.parse::<Digest>().map_err(|error| wrong(error.to_string()))?))
            }
            None => (text, None),
        };
        let (registry, rest) = match name.split_once('/') {
            Some((host, rest)) if host == "localhost" || host.contains(['.', ':']) => {
                (Some(host.to_owned()), rest)
            }
            _ => (None, name),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, tag),
            None => (rest, "latest"),
        };
        let repository = repository.parse().map_err(|error| wrong(format!("{error}")))?;
        let reference = match digest {
            Some(digest) => Reference::Digest(digest),
            None => Reference::Tag(tag.parse().map_err(|error| wrong(format!("{error}")))?),
        };
        Ok(Self { registry, repository, reference })
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(registry) = &self.registry {
            write!(f, "{registry}/")?;
        }
        match &self.reference {
            Reference::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Reference::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

impl Serialize for ImageReference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImageReference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// An image as a deployment runs it: by digest, whatever happens to the tag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PinnedImage {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest or index.
    pub digest: Digest,
}

impl PinnedImage {
    /// The key of the row beside State that says that the registry holds it: `manifest/REPOSITORY@DIGEST`. A repository's
    /// name has no `@`.
    pub fn row_key(&self) -> Vec<u8> {
        format!("{MANIFEST}{self}").into_bytes()
    }

    /// The image that such a key is about.
    pub fn of_row_key(key: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(key).ok()?.strip_prefix(MANIFEST)?;
        let (repository, digest) = text.split_once('@')?;
        Some(Self { repository: repository.parse().ok()?, digest: digest.parse().ok()? })
    }
}

/// What the keys of manifests begin with.
const MANIFEST: &str = "manifest/";

impl fmt::Display for PinnedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

impl From<PinnedImage> for ImageReference {
    fn from(image: PinnedImage) -> Self {
        let reference = Reference::Digest(image.digest);
        Self { registry: None, repository: image.repository, reference }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, registry: Option<&str>, shown: &str) {
        let image: ImageReference = text.parse().unwrap();
        assert_eq!(image.registry.as_deref(), registry);
        assert_eq!(image.to_string(), shown);
    }

    #[test]
    fn an_image_is_named_as_docker_names_it() {
        check("hello", None, "hello:latest");
        check("hello:v1", None, "hello:v1");
        check("team/hello", None, "team/hello:latest");
        check("localhost:5000/hello", Some("localhost:5000"), "localhost:5000/hello:latest");
        let digest = format!("sha256:{}", "00".repeat(32));
        check(&format!("hello@{digest}"), None, &format!("hello@{digest}"));
        check(&format!("hello:v1@{digest}"), None, &format!("hello@{digest}"));
    }

    #[test]
    fn what_names_no_image_says_why() {
        for bad in ["", "Hello", "hello:", "hello@sha256:0", "localhost:5000/"] {
            assert!(bad.parse::<ImageReference>().is_err(), "{bad}");
        }
    }
}
