//! `DELETE /v2/N/manifests/R`: by tag only the tag goes; by digest every tag on it, its place among referrers and its row.
//! Files stay: blobs that nothing names any more are not collected here.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use control::{Operation, Write};
use model::limits::FILL_ROWS;
use model::{
    Change, CommitError, Digest, Precondition, Refusal, RepositoryChange, RepositoryName, RowGuard,
    RowWrite, TagName, Unmet,
};

use super::document::Document;
use super::parent;
use crate::blob::accepted;
use crate::blocking;
use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::request_context::RequestContext;
use crate::rows::{self, ManifestRow};

/// Removes a tag and leaves its manifest.
pub(crate) async fn tag(
    context: &RequestContext,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Response, RegistryError> {
    let change = Change::from(RepositoryChange::RemoveTag {
        repository: repository.clone(),
        tag: tag.clone(),
    });
    let write =
        Write { changes: vec![change], ..context.write(Operation::DeleteManifest, repository) };
    match context.commit(write).await {
        Ok(_) => Ok(accepted()),
        Err(CommitError::Refused(Refusal::NotFound { kind: _, name: _ })) => {
            Err(ErrorKind::ManifestUnknown(tag.to_string()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes a manifest. Refused while an index of the repository names it, and while a service may start a task of it: what
/// can be rolled back to must be there.
pub(crate) async fn manifest(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RegistryError> {
    let _alone = context.shared.repositories.alone(repository.clone()).await;
    let reader = &context.shared.reader;
    let key = rows::manifest(repository, digest);
    let row: Option<ManifestRow> = rows::get(reader, &key).await?;
    let row =
        row.ok_or_else(|| RegistryError::from(ErrorKind::ManifestUnknown(digest.to_string())))?;
    if let Some(parent) = parent(reader, repository, digest).await? {
        return Err(ErrorKind::ManifestInUse { parent }.into());
    }
    let state = reader.state();
    if let Some((service, revision)) = state.image_user(repository, digest) {
        let (cluster, revision) = (service.cluster.clone(), revision.number);
        let service = service.name.clone();
        return Err(ErrorKind::ManifestPinned { service, cluster, revision }.into());
    }
    let is_remembered = remove_tags(context, repository, digest).await?;
    let edges = edges(context, repository, digest, &row).await?;
    let mut rows = vec![RowWrite::Delete { key: key.clone() }];
    if let Some(subject) = &row.subject {
        rows.push(RowWrite::Delete { key: rows::referrer(repository, subject, digest) });
    }
    let guards = vec![RowGuard::Present(key)];
    let whole = || context.write(Operation::DeleteManifest, repository);
    let precondition = Some(unused(repository, digest));
    let write = Write { rows, guards, precondition, is_part: is_remembered, ..whole() };
    context.commit(write).await?;
    // Edges without a manifest are ignored, so they may be deleted in several batches.
    for edges in edges.chunks(FILL_ROWS) {
        let rows = edges.iter().map(|key| RowWrite::Delete { key: key.clone() }).collect();
        context.commit(Write { rows, is_part: true, ..whole() }).await?;
    }
    Ok(accepted())
}

/// A service that began to need it meanwhile keeps it.
fn unused(repository: &RepositoryName, digest: &Digest) -> Precondition {
    let (repository, digest) = (repository.clone(), *digest);
    Precondition::new(move |state| match state.image_user(&repository, &digest) {
        None => Ok(()),
        Some(_) => Err(Unmet::Modified { resource: format!("repository/{repository}") }),
    })
}

/// Whether there were any. Who asked is remembered with the first of them, since the client may hang up before the last.
async fn remove_tags(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<bool, RegistryError> {
    // Read again under the lock, which keeps pushes from moving a tag onto the manifest. A tag that is removed meanwhile
    // needs no removal.
    let state = context.shared.reader.state();
    let on_it = state.tags(repository).filter(|tag| tag.digest == *digest);
    let changes: Vec<Change> = on_it
        .map(|tag| {
            Change::from(RepositoryChange::RemoveTag {
                repository: repository.clone(),
                tag: tag.name.clone(),
            })
        })
        .collect();
    for (number, changes) in changes.chunks(FILL_ROWS).enumerate() {
        let write = context.write(Operation::DeleteManifest, repository);
        let is_part = number > 0;
        context.commit(Write { changes: changes.to_vec(), is_part, ..write }).await?;
    }
    Ok(!changes.is_empty())
}

/// The keys of its edges, read from its bytes. A damaged file leaves edges behind, which are ignored.
async fn edges(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
    row: &ManifestRow,
) -> Result<Vec<Vec<u8>>, RegistryError> {
    let (files, wanted, size) = (Arc::clone(&context.shared.files), *digest, row.size_bytes);
    let read = move || files.read_all(&wanted, size);
    let bytes = blocking("a manifest cannot be read", read).await?.unwrap_or_default();
    let Ok(document) = Document::read(&bytes, Some(&row.media_type)) else {
        return Ok(Vec::new());
    };
    let named = document.config.iter().chain(&document.layers).chain(&document.manifests);
    let keys: BTreeSet<Vec<u8>> =
        named.map(|child| rows::edge(&child.digest, repository, digest)).collect();
    Ok(keys.into_iter().collect())
}
