//! The registry's rows beside State. Names hold no `@`, so it ends them in a key and every prefix is exact.
//!
//! | key | means |
//! |---|---|
//! | `blob/D` | file D is complete, verified and durable |
//! | `link/N@D` | repository N shows blob D; nothing else does |
//! | `holder/D@N` | the same from the other side: who shows D |
//! | `manifest/N@D` | repository N holds manifest D, and everything that it requires is there |
//! | `edge/C@N@D` | manifest D of N names C, a blob or manifest; counts only while `manifest/N@D` is there |
//! | `referrer/N@S@D` | manifest D of N has the subject S; the value is D's descriptor |

use std::collections::{BTreeMap, BTreeSet};

use model::{Digest, PinnedImage, Platform, RepositoryName, RowWrite};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Reader;

use crate::error::RegistryError;

/// Rows that one step of a scan reads.
pub(crate) const STEP: usize = 90;

/// What the keys of all blobs begin with.
pub(crate) const BLOBS: &[u8] = b"blob/";

pub(crate) fn blob(digest: &Digest) -> Vec<u8> {
    format!("blob/{digest}").into_bytes()
}

pub(crate) fn link(repository: &RepositoryName, digest: &Digest) -> Vec<u8> {
    format!("link/{repository}@{digest}").into_bytes()
}

pub(crate) fn holder(digest: &Digest, repository: &RepositoryName) -> Vec<u8> {
    format!("holder/{digest}@{repository}").into_bytes()
}

pub(crate) fn holders(digest: &Digest) -> Vec<u8> {
    format!("holder/{digest}@").into_bytes()
}

pub(crate) fn manifest(repository: &RepositoryName, digest: &Digest) -> Vec<u8> {
    PinnedImage { repository: repository.clone(), digest: *digest }.row_key()
}

pub(crate) fn edge(child: &Digest, repository: &RepositoryName, parent: &Digest) -> Vec<u8> {
    format!("edge/{child}@{repository}@{parent}").into_bytes()
}

pub(crate) fn edges(child: &Digest, repository: &RepositoryName) -> Vec<u8> {
    format!("edge/{child}@{repository}@").into_bytes()
}

pub(crate) fn referrer(repository: &RepositoryName, subject: &Digest, digest: &Digest) -> Vec<u8> {
    format!("referrer/{repository}@{subject}@{digest}").into_bytes()
}

pub(crate) fn referrers(repository: &RepositoryName, subject: &Digest) -> Vec<u8> {
    format!("referrer/{repository}@{subject}@").into_bytes()
}

/// The part of a key after its last `@`.
pub(crate) fn tail(key: &[u8]) -> &str {
    let behind = key.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    std::str::from_utf8(&key[behind..]).unwrap_or_default()
}

/// The value of `blob/` and `link/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlobRow {
    pub(crate) size_bytes: u64,
}

/// The value of `manifest/`: what is asked of a manifest without reading its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ManifestRow {
    pub(crate) media_type: String,
    pub(crate) size_bytes: u64,
    /// With everything that it names.
    pub(crate) total_bytes: u64,
    pub(crate) platforms: BTreeSet<Platform>,
    pub(crate) exposed_ports: BTreeSet<u16>,
    pub(crate) subject: Option<Digest>,
}

/// The value of `referrer/`, as the referrers API answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerRow {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
}

/// Sets a row.
pub(crate) fn put(key: Vec<u8>, row: &impl Serialize) -> RowWrite {
    let value = serde_json::to_vec(row).expect("rows have string keys only");
    RowWrite::Put { key, value }
}

/// Sets a row that has no value.
pub(crate) fn mark(key: Vec<u8>) -> RowWrite {
    RowWrite::Put { key, value: b"{}".to_vec() }
}

/// Shows a blob in a repository.
pub(crate) fn show(repository: &RepositoryName, digest: &Digest, size_bytes: u64) -> [RowWrite; 2] {
    [put(link(repository, digest), &BlobRow { size_bytes }), mark(holder(digest, repository))]
}

/// Reads a row. A malformed one counts as absent, and the next push writes it again.
pub(crate) async fn get<T: DeserializeOwned>(
    reader: &Reader,
    key: &[u8],
) -> Result<Option<T>, RegistryError> {
    Ok(reader.get(key).await?.and_then(|value| read(key, &value)))
}

pub(crate) fn read<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Option<T> {
    serde_json::from_slice(value)
        .inspect_err(|error| {
            let key = String::from_utf8_lossy(key);
            tracing::error!(%error, "row `{key}` cannot be understood");
        })
        .ok()
}
