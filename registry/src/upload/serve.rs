//! The requests of an upload: start, append, finish, status, cancel.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use control::{Operation, Write};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use http::{HeaderValue, StatusCode};
use model::{Digest, RepositoryName};
use sha2::Digest as _;
use tokio::sync::OwnedMutexGuard;

use super::receive::append;
use super::{Progress, Upload};
use crate::error::RegistryError;
use crate::error_kind::{ChunkError, ErrorKind};
use crate::files::Files;
use crate::header::value;
use crate::request_context::RequestContext;
use crate::route::UploadId;
use crate::shared::Shared;
use crate::{blob, blocking, mount, range, rows};

/// `POST /v2/N/blobs/uploads/`: a mount, a whole blob, or the start of an upload.
pub(crate) async fn start(
    context: &RequestContext,
    repository: &RepositoryName,
    body: Body,
) -> Result<Response, RegistryError> {
    if let Some(wanted) = context.query.first("mount")
        && let Some(mounted) = mount::mount(context, repository, wanted).await?
    {
        return Ok(mounted);
    }
    let whole = context.query.first("digest").map(|text| digest(Some(text))).transpose()?;
    if let Some(algorithm) = context.query.first("digest-algorithm")
        && !matches!(algorithm, "sha256" | "sha512")
    {
        return Err(ErrorKind::UnknownAlgorithm.into());
    }
    let upload = open(context, repository).await?;
    let Some(digest) = whole else { return status(&upload, StatusCode::ACCEPTED) };
    let written = write(context, &upload, body).await;
    let finished = match written {
        Ok(progress) => finish(context, &upload, progress, digest).await,
        Err(error) => Err(error),
    };
    if finished.is_err() {
        // The client never got the upload's location.
        drop(end(context, &upload).await);
    }
    finished
}

async fn open(
    context: &RequestContext,
    repository: &RepositoryName,
) -> Result<Arc<Upload>, RegistryError> {
    let uploads = &context.shared.uploads;
    let idle = uploads.end_idle(&context.caller.principal, context.now);
    discard(&context.shared.files, idle).await?;
    let upload = uploads.start(repository, &context.caller.principal, context.now)?;
    let (id, files) = (upload.id, Arc::clone(&context.shared.files));
    let created = blocking("an upload cannot be started", move || {
        files.check_room(0)?;
        files.create(id).map(drop)
    });
    if let Err(error) = created.await {
        uploads.end(id);
        return Err(error);
    }
    Ok(upload)
}

/// Ends uploads that lie idle; soon where the disk has no room for pushes.
pub(crate) async fn end_idle(shared: &Shared) -> Result<(), RegistryError> {
    let files = Arc::clone(&shared.files);
    let room = blocking("the room of the disk cannot be read", move || files.room()).await?;
    let idle = shared.uploads.end_all_idle(room.is_low(), shared.clock.now());
    discard(&shared.files, idle).await
}

async fn discard(files: &Arc<Files>, idle: Vec<UploadId>) -> Result<(), RegistryError> {
    if idle.is_empty() {
        return Ok(());
    }
    let files = Arc::clone(files);
    let discarded = blocking("idle uploads cannot be removed", move || {
        for id in idle {
            files.discard(id);
        }
        Ok(())
    });
    discarded.await
}

/// `PATCH`: the next chunk, or a stream of any length.
pub(crate) async fn patch(
    context: &RequestContext,
    repository: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, RegistryError> {
    let upload = context.shared.uploads.find(id, repository, &context.caller.principal)?;
    let progress = write_or_end(context, &upload, body).await?;
    drop(progress);
    status(&upload, StatusCode::ACCEPTED)
}

/// `PUT`: perhaps the last chunk, and the digest of the whole.
pub(crate) async fn put(
    context: &RequestContext,
    repository: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, RegistryError> {
    let upload = context.shared.uploads.find(id, repository, &context.caller.principal)?;
    let digest = digest(context.query.first("digest"))?;
    let progress = write_or_end(context, &upload, body).await?;
    finish(context, &upload, progress, digest).await
}

/// `GET`: its progress.
pub(crate) fn get(
    context: &RequestContext,
    repository: &RepositoryName,
    id: UploadId,
) -> Result<Response, RegistryError> {
    let upload = context.shared.uploads.find(id, repository, &context.caller.principal)?;
    status(&upload, StatusCode::NO_CONTENT)
}

/// `DELETE`: cancels it.
pub(crate) async fn cancel(
    context: &RequestContext,
    repository: &RepositoryName,
    id: UploadId,
) -> Result<Response, RegistryError> {
    let upload = context.shared.uploads.find(id, repository, &context.caller.principal)?;
    end(context, &upload).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn digest(text: Option<&str>) -> Result<Digest, RegistryError> {
    let text = text.ok_or(ErrorKind::DigestMissing)?;
    let digest = text.parse::<Digest>();
    Ok(digest.map_err(|error| ErrorKind::InvalidDigest(error.to_string()))?)
}

/// Appends the body. An upload that the disk has no room for ends, so that its room is there for others.
async fn write_or_end(
    context: &RequestContext,
    upload: &Arc<Upload>,
    body: Body,
) -> Result<OwnedMutexGuard<Progress>, RegistryError> {
    let written = write(context, upload, body).await;
    if written.as_ref().is_err_and(RegistryError::is_disk_full) {
        end(context, upload).await?;
    }
    written
}

/// Appends the body: a chunk with a `Content-Range` must be the next one.
async fn write(
    context: &RequestContext,
    upload: &Arc<Upload>,
    body: Body,
) -> Result<OwnedMutexGuard<Progress>, RegistryError> {
    let Ok(progress) = Arc::clone(&upload.progress).try_lock_owned() else {
        return Err(refuse_chunk(upload, ChunkError::Busy));
    };
    upload.touch(context.now);
    let mut expected = context.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if let Some(place) = context.header(CONTENT_RANGE) {
        let (first, length) =
            range::of_chunk(place).ok_or_else(|| refuse_chunk(upload, ChunkError::Malformed))?;
        if first != progress.length {
            return Err(refuse_chunk(upload, ChunkError::OutOfOrder));
        }
        if expected.is_some_and(|expected| expected != length) {
            return Err(ErrorKind::LengthsDisagree.into());
        }
        expected = Some(length);
    }
    let progress = append(&context.shared.files, upload, progress, body, expected).await?;
    upload.touch(context.shared.clock.now());
    Ok(progress)
}

fn refuse_chunk(upload: &Upload, error: ChunkError) -> RegistryError {
    let error = RegistryError::from(ErrorKind::Chunk(error));
    let headers = place(upload);
    headers.into_iter().fold(error, |error, (name, value)| error.with(name, value))
}

/// An upload's location and progress: `0-0` also before the first byte, as the spec has it.
fn place(upload: &Upload) -> [(HeaderName, HeaderValue); 3] {
    let id = upload.id.to_string();
    let last = upload.acknowledged().saturating_sub(1);
    [
        (LOCATION, value(&format!("/v2/{}/blobs/uploads/{id}", upload.repository))),
        (RANGE, value(&format!("0-{last}"))),
        (HeaderName::from_static("docker-upload-uuid"), value(&id)),
    ]
}

#[expect(clippy::unnecessary_wraps, reason = "every operation ends in this form")]
fn status(upload: &Upload, status: StatusCode) -> Result<Response, RegistryError> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().extend(place(upload));
    Ok(response)
}

/// Makes the upload the blob of this digest. Any failure ends the upload: bytes with another digest stay wrong, and after a
/// failed fsync the content on disk is unknown.
async fn finish(
    context: &RequestContext,
    upload: &Upload,
    progress: OwnedMutexGuard<Progress>,
    digest: Digest,
) -> Result<Response, RegistryError> {
    if let Err(error) = settle(context, upload, &progress, &digest).await {
        end(context, upload).await?;
        return Err(error);
    }
    context.shared.uploads.end(upload.id);
    drop(progress);
    Ok(blob::created(&upload.repository, &digest))
}

async fn settle(
    context: &RequestContext,
    upload: &Upload,
    progress: &Progress,
    digest: &Digest,
) -> Result<(), RegistryError> {
    let computed = match digest {
        Digest::Sha256(_) => Digest::Sha256(progress.sha256.clone().finalize().into()),
        Digest::Sha512(_) => {
            let (id, files) = (upload.id, Arc::clone(&context.shared.files));
            let read = move || files.sha512(id);
            blocking("an upload cannot be read again", read).await?
        }
    };
    if computed != *digest {
        return Err(ErrorKind::UploadDigest { computed, wanted: *digest }.into());
    }
    let write = Write {
        rows: rows::show(&upload.repository, digest, progress.length).into(),
        ..context.write(Operation::UploadBlob, &upload.repository)
    };
    blob::settle(context, upload.id, digest, progress.length, write).await
}

/// Drops an upload and removes its file, if it still exists.
async fn end(context: &RequestContext, upload: &Upload) -> Result<(), RegistryError> {
    context.shared.uploads.end(upload.id);
    let (id, files) = (upload.id, Arc::clone(&context.shared.files));
    blocking("an upload cannot be removed", move || {
        files.discard(id);
        io::Result::Ok(())
    })
    .await
}
