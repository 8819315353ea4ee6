//! Cross-repository mounts: a blob that another repository shows is shown here too, if the caller may read it there.
//! Everything else, a wrong name or a missing permission, is answered as if mounts were not supported, so that a mount does
//! not reveal what the caller may not read. That goes for a token that is too narrow, too: containerd before 2.1, and what
//! builds with it, takes no other answer than 202 there.

use std::sync::Arc;

use access::{Action, Resource};
use axum::response::Response;
use control::{Operation, Permission, Write};
use model::{CommitError, Digest, RepositoryName, RowGuard};

use crate::error::RegistryError;
use crate::request_context::RequestContext;
use crate::rows::{self, BlobRow};
use crate::{blob, blocking};

/// Repositories that a mount without a source looks through at most.
const MOST_HOLDERS: usize = 1_000;

/// Shows `wanted` in `repository`; None where it has to be uploaded.
pub(crate) async fn mount(
    context: &RequestContext,
    repository: &RepositoryName,
    wanted: &str,
) -> Result<Option<Response>, RegistryError> {
    let Ok(digest) = wanted.parse::<Digest>() else { return Ok(None) };
    let source = match context.query.first("from") {
        Some(name) => name.parse().ok().filter(|name| context.may_read(name)),
        None => readable_holder(context, &digest).await?,
    };
    let Some(source) = source else { return Ok(None) };
    let shown = rows::link(&source, &digest);
    let Some(BlobRow { size_bytes: size }) = rows::get(&context.shared.reader, &shown).await?
    else {
        return Ok(None);
    };
    let files = Arc::clone(&context.shared.files);
    if !blocking("a blob cannot be looked at", move || files.has(&digest, size)).await? {
        return Ok(None);
    }
    let write = Write {
        rows: rows::show(repository, &digest, size).into(),
        guards: vec![RowGuard::Present(shown), RowGuard::Present(rows::blob(&digest))],
        also: vec![Permission {
            action: Action::RepositoryPull,
            resource: Resource::repository(&source),
        }],
        ..context.write(Operation::UploadBlob, repository)
    };
    match context.commit(write).await {
        Ok(_) => Ok(Some(blob::created(repository, &digest))),
        Err(CommitError::GuardFailed { key: _ }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn readable_holder(
    context: &RequestContext,
    digest: &Digest,
) -> Result<Option<RepositoryName>, RegistryError> {
    let holders = context.shared.reader.range(&rows::holders(digest), None, MOST_HOLDERS).await?;
    let names = holders.iter().filter_map(|(key, _)| rows::tail(key).parse().ok());
    Ok(names.into_iter().find(|name| context.may_read(name)))
}
