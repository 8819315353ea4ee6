//! Appends a request's body to an upload's file: reads from the socket while a blocking thread hashes and writes the bytes
//! before. Memory is bounded, and a slow client occupies no thread.
//!
//! The writer owns the upload's lock and is passed from buffer to buffer with it. So even after a cancelled request the next
//! one starts only when no write is under way any more, and it starts at the last acknowledged byte.
//!
//! A body of a length that was said counts as a whole or not at all; of a stream, each buffer counts once it is written, so
//! that a client whose stream was cut goes on where it ended. What does not count gives its room back at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Body;
use bytes::Bytes;
use oci_spec::distribution::ErrorCode;
use sha2::Digest as _;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::{Progress, Upload};
use crate::body;
use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::files::{Files, UploadFile};

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 << 10;
/// Bytes that one blob has at most.
const MOST_BYTES: u64 = 64 << 30;

struct Writer {
    files: Arc<Files>,
    upload: Arc<Upload>,
    file: UploadFile,
    acknowledged: OwnedMutexGuard<Progress>,
    written: Progress,
    /// Whether each buffer counts by itself.
    is_stream: bool,
}

impl Writer {
    fn write(mut self, pieces: &[Bytes]) -> io::Result<Self> {
        self.files.check_room(pieces.iter().map(|piece| piece.len() as u64).sum())?;
        for piece in pieces {
            self.written.sha256.update(piece);
            self.files.write(&mut self.file, piece)?;
            self.written.length += piece.len() as u64;
        }
        if self.is_stream {
            self.acknowledge();
        }
        Ok(self)
    }

    fn acknowledge(&mut self) {
        self.file.keep(self.written.length);
        self.upload.acknowledged.store(self.written.length, Ordering::Release);
        self.acknowledged.clone_from(&self.written);
    }
}

/// Appends `body`, whose length should be `expected`, and acknowledges it. The returned guard still excludes other writers.
pub(crate) async fn append(
    files: &Arc<Files>,
    upload: &Arc<Upload>,
    acknowledged: OwnedMutexGuard<Progress>,
    body: Body,
    expected: Option<u64>,
) -> Result<OwnedMutexGuard<Progress>, RegistryError> {
    let before = acknowledged.length;
    let room = MOST_BYTES.saturating_sub(before);
    if expected.is_some_and(|expected| expected > room) {
        return Err(ErrorKind::BlobTooLarge.into());
    }
    let (upload, files) = (Arc::clone(upload), Arc::clone(files));
    let writing = tokio::task::spawn_blocking(move || {
        files.check_room(expected.unwrap_or(0))?;
        let file = files.resume(upload.id, before)?;
        let written = acknowledged.clone();
        Ok(Writer { files, upload, file, acknowledged, written, is_stream: expected.is_none() })
    });
    let (mut writer, received) = receive(writing, body, expected.unwrap_or(room)).await?;
    let checked = received.and_then(|received| match expected {
        None if received > room => Err(ErrorKind::BlobTooLarge.into()),
        Some(expected) if expected != received => Err(ErrorKind::WrongLength.into()),
        None | Some(_) => Ok(()),
    });
    if let Err(error) = checked {
        // Cuts the file to what counts.
        tokio::task::spawn_blocking(move || drop(writer)).await.ok();
        return Err(error);
    }
    writer.acknowledge();
    let Writer { acknowledged, .. } = writer;
    Ok(acknowledged)
}

/// Passes the body to the writer in large buffers, and returns its length; stops early when it is longer than `most`.
/// Whatever is wrong with the body, no write is under way any more when this returns.
async fn receive(
    mut writing: JoinHandle<io::Result<Writer>>,
    body: Body,
    most: u64,
) -> Result<(Writer, Result<u64, RegistryError>), RegistryError> {
    let mut pending = body.into_data_stream();
    let (mut pieces, mut waiting, mut received) = (Vec::new(), 0, 0);
    let received = loop {
        match body::next(&mut pending, &ErrorCode::BlobUploadInvalid).await {
            Ok(Some(piece)) => {
                received += piece.len() as u64;
                waiting += piece.len();
                pieces.push(piece);
            }
            Ok(None) => break Ok(received),
            Err(error) => break Err(error),
        }
        if received > most {
            break Ok(received);
        }
        if waiting >= WRITE_BYTES {
            waiting = 0;
            let (writer, pieces) = (finished(writing).await?, std::mem::take(&mut pieces));
            writing = tokio::task::spawn_blocking(move || writer.write(&pieces));
        }
    };
    let writer = finished(writing).await?;
    let writing = tokio::task::spawn_blocking(move || writer.write(&pieces));
    Ok((finished(writing).await?, received))
}

async fn finished(writing: JoinHandle<io::Result<Writer>>) -> Result<Writer, RegistryError> {
    let done = writing.await.unwrap_or_else(|ended| Err(ended.into()));
    done.map_err(|error| {
        // The upload was cancelled or finished meanwhile.
        if error.kind() == io::ErrorKind::NotFound {
            return ErrorKind::UploadUnknown.into();
        }
        RegistryError::disk("an upload cannot be written", &error)
    })
}
