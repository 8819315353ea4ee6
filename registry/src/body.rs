//! Reads request bodies: limited in size where they are kept in memory, and in idle time everywhere, so that a client cannot
//! hold an upload or a connection by sending nothing.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody as _};
use bytes::Bytes;
use futures_util::StreamExt as _;
use oci_spec::distribution::ErrorCode;

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;

/// How long a client may send nothing.
const SILENCE: Duration = Duration::from_mins(1);

/// The next chunk of a body; None at its end. Errors are answered with `code`.
pub(crate) async fn next(
    body: &mut BodyDataStream,
    code: &ErrorCode,
) -> Result<Option<Bytes>, RegistryError> {
    match tokio::time::timeout(SILENCE, body.next()).await {
        Ok(Some(Ok(piece))) => Ok(Some(piece)),
        Ok(None) => Ok(None),
        Ok(Some(Err(error))) => {
            let cause = error.to_string();
            Err(ErrorKind::BodyCut { code: code.clone(), cause }.into())
        }
        Err(_) => Err(ErrorKind::BodyTimeout { code: code.clone() }.into()),
    }
}

/// A whole body of at most `most` bytes; None where it is larger, of which no more is read.
pub(crate) async fn read(
    body: Body,
    most: usize,
    code: &ErrorCode,
) -> Result<Option<Vec<u8>>, RegistryError> {
    if body.size_hint().lower() > most as u64 {
        return Ok(None);
    }
    let (mut bytes, mut body) = (Vec::new(), body.into_data_stream());
    while let Some(piece) = next(&mut body, code).await? {
        if bytes.len() + piece.len() > most {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Some(bytes))
}
