//! `DELETE /v2/N/manifests/R`: by tag only the tag goes; by digest every tag on it, its place among referrers and its row.
//! Files stay; what nothing names any more is collected elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use model::limits::FILL_ROWS;
use model::{
    Batch, Change, CommitError, Digest, Refusal, RepositoryChange, RepositoryName, RowGuard,
    RowWrite, TagName,
};

use super::document::Document;
use super::parent;
use crate::ask::Ask;
use crate::blob::accepted;
use crate::blocking;
use crate::failure::{Code, Failure};
use crate::rows::{self, ManifestRow};

/// Removes a tag and leaves its manifest.
pub(crate) async fn tag(
    ask: &Ask,
    repository: &RepositoryName,
    tag: &TagName,
) -> Result<Response, Failure> {
    let change = Change::from(RepositoryChange::RemoveTag {
        repository: repository.clone(),
        tag: tag.clone(),
    });
    match ask.shared.store.apply(vec![change], ask.now).await {
        Ok(_) => Ok(accepted()),
        Err(CommitError::Refused(Refusal::NotFound { kind: _, name: _ })) => {
            Err(Failure::manifest_unknown(tag))
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes a manifest. Refused while an index of the repository names it.
pub(crate) async fn manifest(
    ask: &Ask,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Response, Failure> {
    let _alone = ask.shared.repositories.alone(repository.clone()).await;
    let store = &ask.shared.store;
    let key = rows::manifest(repository, digest);
    let row: Option<ManifestRow> = rows::get(store, &key).await?;
    let row = row.ok_or_else(|| Failure::manifest_unknown(digest))?;
    if let Some(parent) = parent(store, repository, digest).await? {
        let message = format!("manifest `{parent}` of the repository names it; delete that first");
        return Err(Failure::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, message));
    }
    remove_tags(ask, repository, digest).await?;
    let edges = edges(ask, repository, digest, &row).await?;
    let mut rows = vec![RowWrite::Delete { key: key.clone() }];
    if let Some(subject) = &row.subject {
        rows.push(RowWrite::Delete { key: rows::referrer(repository, subject, digest) });
    }
    let guards = vec![RowGuard::Present(key)];
    store.commit(Batch { rows, guards, ..Batch::of(Vec::new(), ask.now) }).await?;
    // Edges without a manifest count for nothing, so they may go one batch after the other.
    for edges in edges.chunks(FILL_ROWS) {
        let rows = edges.iter().map(|key| RowWrite::Delete { key: key.clone() }).collect();
        store.commit(Batch { rows, ..Batch::of(Vec::new(), ask.now) }).await?;
    }
    Ok(accepted())
}

async fn remove_tags(
    ask: &Ask,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<(), Failure> {
    // Read anew under the lock: no push moves a tag onto the manifest any more. Tags that go by themselves meanwhile are
    // gone, which is what is wanted.
    let state = ask.shared.store.state();
    let on_it = state.tags(repository).filter(|tag| tag.digest == *digest);
    let changes: Vec<Change> = on_it
        .map(|tag| {
            Change::from(RepositoryChange::RemoveTag {
                repository: repository.clone(),
                tag: tag.name.clone(),
            })
        })
        .collect();
    for changes in changes.chunks(FILL_ROWS) {
        ask.shared.store.apply(changes.to_vec(), ask.now).await?;
    }
    Ok(())
}

/// The keys of its edges, read from its bytes. A damaged file leaves edges behind, which count for nothing.
async fn edges(
    ask: &Ask,
    repository: &RepositoryName,
    digest: &Digest,
    row: &ManifestRow,
) -> Result<Vec<Vec<u8>>, Failure> {
    let (files, wanted, size) = (Arc::clone(&ask.shared.files), *digest, row.size_bytes);
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
