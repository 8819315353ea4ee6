//! Manifests: kept byte for byte, as files like blobs. A manifest's row means that what it requires is readable in the same
//! repository: edges to its children are written first and guarded by the children being there, the row comes last, and
//! deletes wait until no push is between the two.

use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue};
use model::{Digest, RepositoryName};
use store::Reader;

use crate::error::RegistryError;
use crate::header::{DIGEST, value};
use crate::rows::{self, ManifestRow, STEP};

pub(crate) mod delete;
pub(crate) mod details;
pub(crate) mod document;
pub(crate) mod get;
pub(crate) mod put;

/// Bytes of a manifest at most.
pub(crate) const MOST_BYTES: usize = 4 << 20;

/// A manifest of the repository that names `child`. An edge whose manifest has no row is left over from a push that did not
/// end: the caller holds the repository alone, so none is under way.
pub(crate) async fn parent(
    reader: &Reader,
    repository: &RepositoryName,
    child: &Digest,
) -> Result<Option<Digest>, RegistryError> {
    let prefix = rows::edges(child, repository);
    let mut after = None;
    loop {
        let pairs = reader.range(&prefix, after, STEP).await?;
        for (key, _) in &pairs {
            let Ok(parent) = rows::tail(key).parse::<Digest>() else { continue };
            if reader.get(&rows::manifest(repository, &parent)).await?.is_some() {
                return Ok(Some(parent));
            }
        }
        match pairs.into_iter().nth(STEP - 1) {
            Some((last, _)) => after = Some(last),
            None => return Ok(None),
        }
    }
}

/// The headers that describe a manifest.
fn describe(response: &mut Response, digest: &Digest, row: &ManifestRow) {
    let headers: &mut HeaderMap = response.headers_mut();
    // It was checked at the push; a row that was damaged since must not break the answer.
    let media_type = HeaderValue::from_str(&row.media_type)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_TYPE, media_type);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(row.size_bytes));
    headers.insert(DIGEST, value(&digest.to_string()));
    headers.insert(ETAG, value(&format!("\"{digest}\"")));
}
