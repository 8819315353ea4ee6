//! The requests of an upload: start, append, finish, status, cancel.

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, LOCATION, RANGE};
use http::{HeaderValue, StatusCode};
use model::{Batch, Digest, RepositoryName};
use sha2::Digest as _;
use tokio::sync::OwnedMutexGuard;

use super::receive::append;
use super::{Progress, Upload};
use crate::ask::Ask;
use crate::failure::{Code, Failure};
use crate::route::UploadId;
use crate::{blob, blocking, mount, range, rows};

/// `POST /v2/N/blobs/uploads/`: a mount, a whole blob, or the start of an upload.
pub(crate) async fn start(
    ask: &Ask,
    repository: &RepositoryName,
    body: Body,
) -> Result<Response, Failure> {
    if let Some(wanted) = ask.query.first("mount")
        && let Some(mounted) = mount::mount(ask, repository, wanted).await?
    {
        return Ok(mounted);
    }
    let whole = ask.query.first("digest").map(|text| digest(Some(text))).transpose()?;
    if let Some(algorithm) = ask.query.first("digest-algorithm")
        && !matches!(algorithm, "sha256" | "sha512")
    {
        let message = "blobs are named by `sha256` or `sha512`";
        return Err(Failure::bad(Code::DigestInvalid, message));
    }
    let upload = open(ask, repository).await?;
    let Some(digest) = whole else { return status(&upload, StatusCode::ACCEPTED) };
    let written = write(ask, &upload, body).await;
    let finished = match written {
        Ok(progress) => finish(ask, &upload, progress, digest).await,
        Err(failure) => Err(failure),
    };
    if finished.is_err() {
        // Its client never learned of the upload.
        drop(end(ask, &upload).await);
    }
    finished
}

async fn open(ask: &Ask, repository: &RepositoryName) -> Result<Arc<Upload>, Failure> {
    let uploads = &ask.shared.uploads;
    let idle = uploads.end_idle(&ask.caller.principal, ask.now);
    if !idle.is_empty() {
        let files = Arc::clone(&ask.shared.files);
        let discarded = blocking("idle uploads cannot be removed", move || {
            for id in idle {
                files.discard(id);
            }
            Ok(())
        });
        discarded.await?;
    }
    let upload = uploads.start(repository, &ask.caller.principal, ask.now)?;
    let (id, files) = (upload.id, Arc::clone(&ask.shared.files));
    let created = blocking("an upload cannot be started", move || files.create(id).map(drop));
    if let Err(failure) = created.await {
        uploads.end(id);
        return Err(failure);
    }
    Ok(upload)
}

/// `PATCH`: the next chunk, or a stream of any length.
pub(crate) async fn patch(
    ask: &Ask,
    repository: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, Failure> {
    let upload = ask.shared.uploads.find(id, repository, &ask.caller.principal)?;
    let progress = write(ask, &upload, body).await?;
    drop(progress);
    status(&upload, StatusCode::ACCEPTED)
}

/// `PUT`: perhaps the last chunk, and the digest of the whole.
pub(crate) async fn put(
    ask: &Ask,
    repository: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, Failure> {
    let upload = ask.shared.uploads.find(id, repository, &ask.caller.principal)?;
    let digest = digest(ask.query.first("digest"))?;
    let progress = write(ask, &upload, body).await?;
    finish(ask, &upload, progress, digest).await
}

/// `GET`: how far it is.
pub(crate) fn get(
    ask: &Ask,
    repository: &RepositoryName,
    id: UploadId,
) -> Result<Response, Failure> {
    let upload = ask.shared.uploads.find(id, repository, &ask.caller.principal)?;
    status(&upload, StatusCode::NO_CONTENT)
}

/// `DELETE`: it is not wanted any more.
pub(crate) async fn cancel(
    ask: &Ask,
    repository: &RepositoryName,
    id: UploadId,
) -> Result<Response, Failure> {
    let upload = ask.shared.uploads.find(id, repository, &ask.caller.principal)?;
    end(ask, &upload).await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

fn digest(text: Option<&str>) -> Result<Digest, Failure> {
    let text = text.ok_or_else(|| {
        Failure::bad(Code::DigestInvalid, "the last request of an upload needs `?digest=`")
    })?;
    let digest = text.parse::<Digest>();
    digest.map_err(|error| Failure::bad(Code::DigestInvalid, error.to_string()))
}

/// Appends the body where it belongs: a chunk with a place must be the next one.
async fn write(
    ask: &Ask,
    upload: &Upload,
    body: Body,
) -> Result<OwnedMutexGuard<Progress>, Failure> {
    let Ok(progress) = Arc::clone(&upload.progress).try_lock_owned() else {
        return Err(out_of_order(upload, "another request is writing to this upload"));
    };
    upload.touch(ask.now);
    let mut expected = ask.header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
    if let Some(place) = ask.header(CONTENT_RANGE) {
        let (first, length) = range::of_chunk(place).ok_or_else(|| {
            out_of_order(upload, "`Content-Range` is not written as `FIRST-LAST`, both included")
        })?;
        if first != progress.length {
            return Err(out_of_order(upload, "the chunk is not the next one"));
        }
        if expected.is_some_and(|expected| expected != length) {
            let message = "`Content-Length` and `Content-Range` disagree";
            return Err(Failure::bad(Code::SizeInvalid, message));
        }
        expected = Some(length);
    }
    let progress = append(&ask.shared.files, upload, progress, body, expected).await?;
    upload.touch(ask.shared.clock.now());
    Ok(progress)
}

fn out_of_order(upload: &Upload, message: &str) -> Failure {
    let failure = Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, Code::BlobUploadInvalid, message);
    let headers = place(upload);
    headers.into_iter().fold(failure, |failure, (name, value)| failure.with(name, value))
}

/// Where an upload is and how far: `0-0` also when nothing came yet, as the spec has it.
fn place(upload: &Upload) -> [(HeaderName, HeaderValue); 3] {
    let id = upload.id.to_string();
    let last = upload.acknowledged().saturating_sub(1);
    let value = |text: String| HeaderValue::from_str(&text).expect("names and numbers are ASCII");
    [
        (LOCATION, value(format!("/v2/{}/blobs/uploads/{id}", upload.repository))),
        (RANGE, value(format!("0-{last}"))),
        (HeaderName::from_static("docker-upload-uuid"), value(id)),
    ]
}

#[expect(clippy::unnecessary_wraps, reason = "every operation ends in this form")]
fn status(upload: &Upload, status: StatusCode) -> Result<Response, Failure> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().extend(place(upload));
    Ok(response)
}

/// Makes the upload the blob that it is said to be. Whatever fails here ends the upload: bytes with another digest will not
/// become right, and after a failed sync nobody knows what is on disk.
async fn finish(
    ask: &Ask,
    upload: &Upload,
    progress: OwnedMutexGuard<Progress>,
    digest: Digest,
) -> Result<Response, Failure> {
    if let Err(failure) = settle(ask, upload, &progress, &digest).await {
        end(ask, upload).await?;
        return Err(failure);
    }
    ask.shared.uploads.end(upload.id);
    drop(progress);
    Ok(blob::created(&upload.repository, &digest))
}

async fn settle(
    ask: &Ask,
    upload: &Upload,
    progress: &Progress,
    digest: &Digest,
) -> Result<(), Failure> {
    let computed = match digest {
        Digest::Sha256(_) => Digest::Sha256(progress.sha256.clone().finalize().into()),
        Digest::Sha512(_) => {
            let (id, files) = (upload.id, Arc::clone(&ask.shared.files));
            let read = move || files.sha512(id);
            blocking("an upload cannot be read again", read).await?
        }
    };
    if computed != *digest {
        let message = format!("the bytes have the digest `{computed}`, not `{digest}`");
        return Err(Failure::bad(Code::DigestInvalid, message));
    }
    let batch = Batch {
        rows: rows::show(&upload.repository, digest, progress.length).into(),
        ..Batch::of(Vec::new(), ask.now)
    };
    blob::settle(&ask.shared, upload.id, digest, progress.length, batch).await
}

/// Forgets an upload, and removes its file where there still is one.
async fn end(ask: &Ask, upload: &Upload) -> Result<(), Failure> {
    ask.shared.uploads.end(upload.id);
    let (id, files) = (upload.id, Arc::clone(&ask.shared.files));
    blocking("an upload cannot be removed", move || {
        files.discard(id);
        io::Result::Ok(())
    })
    .await
}
