//! Blobs: a repository shows those that its own rows name, however their bytes came to the registry.

use std::fs::File;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use control::{Operation, Write};
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE,
    LOCATION, RANGE,
};
use http::{HeaderValue, Method, StatusCode};
use model::{CommitError, Digest, RepositoryName, RowGuard, RowWrite};
use rustix::buffer::spare_capacity;

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::files::check::Hash;
use crate::files::{BlobFile, Files};
use crate::header::{DIGEST, value};
use crate::range::Ranged;
use crate::request_context::RequestContext;
use crate::route::UploadId;
use crate::rows::BlobRow;
use crate::{blocking, manifest, range, rows};

/// Bytes that are read and sent at once.
const READ_BYTES: usize = 256 << 10;

/// `GET` and `HEAD /v2/N/blobs/D`.
pub(crate) async fn get(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RegistryError> {
    let unknown = || RegistryError::from(ErrorKind::BlobUnknown(*digest));
    let row: Option<BlobRow> =
        rows::get(&context.shared.reader, &rows::link(repository, digest)).await?;
    let BlobRow { size_bytes: size } = row.ok_or_else(unknown)?;
    let (files, wanted) = (Arc::clone(&context.shared.files), *digest);
    let open = move || files.read(&wanted, size);
    let file = blocking("a blob cannot be opened", open).await?.ok_or_else(unknown)?;

    let etag = value(&format!("\"{digest}\""));
    let same = |name| context.parts.headers.get(name).is_some_and(|given| *given == etag);
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(DIGEST, value(&digest.to_string()));
    headers.insert(ETAG, etag.clone());
    if same(IF_NONE_MATCH) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let asked = context.header(RANGE).filter(|_| context.parts.method == Method::GET);
    let asked = asked.filter(|_| !context.parts.headers.contains_key(IF_RANGE) || same(IF_RANGE));
    let (first, end) = match range::of(asked, size) {
        Ranged::Whole => (0, size),
        Ranged::Part { first, last } => {
            headers.insert(CONTENT_RANGE, value(&format!("bytes {first}-{last}/{size}")));
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            (first, last + 1)
        }
        Ranged::Unsatisfiable => return Err(ErrorKind::RangeNotSatisfiable { size }.into()),
    };
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(end - first));
    if context.parts.method != Method::GET {
        return Ok(response);
    }
    let BlobFile { file, is_checked } = file;
    *response.body_mut() = if is_checked || (first, end) != (0, size) {
        stream(file, first, end)
    } else if size <= READ_BYTES as u64 {
        let (files, digest) = (Arc::clone(&context.shared.files), *digest);
        let read = move || files.read_all(&digest, size);
        Body::from(blocking("a blob cannot be read", read).await?.ok_or_else(unknown)?)
    } else {
        checking(context, *digest, file, end)
    };
    Ok(response)
}

/// The bytes of a whole file, hashed on their way. Its last piece is sent only if all were right; else the connection breaks,
/// so that the client notices.
fn checking(context: &RequestContext, digest: Digest, file: File, end: u64) -> Body {
    let (files, file) = (Arc::clone(&context.shared.files), Arc::new(file));
    let begin = (0, Hash::like(&digest));
    let pieces = futures_util::stream::try_unfold(begin, move |(at, hash)| {
        let (files, file) = (Arc::clone(&files), Arc::clone(&file));
        async move {
            if at >= end {
                return Ok::<_, io::Error>(None);
            }
            let read = tokio::task::spawn_blocking(move || {
                checked_piece(&files, &digest, &file, (at, end), hash)
            });
            let (bytes, hash) = read.await.unwrap_or_else(|ended| Err(ended.into()))?;
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, (next, hash))))
        }
    });
    Body::from_stream(pieces)
}

fn checked_piece(
    files: &Files,
    digest: &Digest,
    file: &File,
    (at, end): (u64, u64),
    mut hash: Hash,
) -> io::Result<(Bytes, Hash)> {
    let most = usize::try_from(end - at).unwrap_or(READ_BYTES).min(READ_BYTES);
    let bytes = piece(file, at, most)?;
    hash.update(&bytes);
    if at + (bytes.len() as u64) < end {
        return Ok((bytes, hash));
    }
    let next = Hash::like(digest);
    if files.judge(digest, file, hash.finish())? {
        Ok((bytes, next))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the blob is damaged"))
    }
}

/// The bytes of a file from `first` to before `end`. A file that ends early breaks the connection, so that the client notices.
fn stream(file: File, first: u64, end: u64) -> Body {
    let file = Arc::new(file);
    let pieces = futures_util::stream::try_unfold(first, move |at| {
        let file = Arc::clone(&file);
        async move {
            if at >= end {
                return Ok::<_, io::Error>(None);
            }
            let most = usize::try_from(end - at).unwrap_or(READ_BYTES).min(READ_BYTES);
            let read = tokio::task::spawn_blocking(move || piece(&file, at, most));
            let bytes = read.await.unwrap_or_else(|ended| Err(ended.into()))?;
            let next = at + bytes.len() as u64;
            Ok(Some((bytes, next)))
        }
    });
    Body::from_stream(pieces)
}

fn piece(file: &File, at: u64, most: usize) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(most);
    match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {
            bytes.truncate(most);
            Ok(bytes.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /v2/N/blobs/D`: the repository no longer shows it. Refused while a manifest of the repository requires it.
pub(crate) async fn delete(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Response, RegistryError> {
    let _alone = context.shared.repositories.alone(repository.clone()).await;
    let reader = &context.shared.reader;
    let link = rows::link(repository, digest);
    if reader.get(&link).await?.is_none() {
        return Err(ErrorKind::BlobUnknown(*digest).into());
    }
    if let Some(parent) = manifest::parent(reader, repository, digest).await? {
        return Err(ErrorKind::BlobInUse { parent }.into());
    }
    let holder = rows::holder(digest, repository);
    let write = Write {
        rows: vec![RowWrite::Delete { key: link.clone() }, RowWrite::Delete { key: holder }],
        guards: vec![RowGuard::Present(link)],
        ..context.write(Operation::DeleteBlob, repository)
    };
    match context.commit(write).await {
        Ok(_) => Ok(accepted()),
        Err(CommitError::GuardFailed { key: _ }) => Err(ErrorKind::BlobUnknown(*digest).into()),
        Err(error) => Err(error.into()),
    }
}

/// 202 without a body.
pub(crate) fn accepted() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::ACCEPTED;
    response
}

/// 201 for a blob that the repository shows now.
pub(crate) fn created(repository: &RepositoryName, digest: &Digest) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let headers = response.headers_mut();
    headers.insert(LOCATION, value(&format!("/v2/{repository}/blobs/{digest}")));
    headers.insert(DIGEST, value(&digest.to_string()));
    response
}

/// Makes a verified upload the file of its digest, and commits `write` with the row that names it. Concurrent uploads of the
/// same bytes are serialised.
pub(crate) async fn settle(
    context: &RequestContext,
    id: UploadId,
    digest: &Digest,
    size: u64,
    mut write: Write,
) -> Result<(), RegistryError> {
    let shared = &context.shared;
    let lock = shared.digests.alone(*digest).await;
    let (files, digest) = (Arc::clone(&shared.files), *digest);
    // The lock moves into the job: it is held until the file is in place, even if the request is cancelled meanwhile.
    let lock = blocking("a blob cannot be stored", move || {
        files.settle(id, &digest)?;
        Ok(lock)
    })
    .await?;
    write.rows.push(rows::put(rows::blob(&digest), &BlobRow { size_bytes: size }));
    context.commit(write).await?;
    drop(lock);
    Ok(())
}
