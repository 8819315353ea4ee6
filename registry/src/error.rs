//! Errors as they are answered, in the form of the distribution spec. Each is of a closed list of kinds, and this is the one
//! place that writes them.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{ALLOW, CONTENT_RANGE, CONTENT_TYPE, HeaderName, RETRY_AFTER};
use model::sentence::say;
use model::{CommitError, Unmet};
use serde::Serialize;
use store::ReadError;

use crate::error_kind::{AnyCode, ErrorKind};
use crate::header::value;

/// Seconds after which a client that has too many uploads open may try again: idle ones end after a minute then.
const RETRY_SECS: u16 = 60;

/// The body of an error (OCI distribution spec, "Error Codes"). `oci-spec` has no place for the codes beside the spec's.
#[derive(Debug, Serialize)]
struct ErrorBody {
    errors: [ErrorEntry; 1],
}

#[derive(Debug, Serialize)]
struct ErrorEntry {
    code: AnyCode,
    message: String,
}

/// An error as it is answered: what is wrong, and headers that only its request knows.
#[derive(Debug)]
pub(crate) struct RegistryError {
    kind: Box<ErrorKind>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl RegistryError {
    /// What is wrong, for people.
    pub(crate) fn sentence(&self) -> String {
        say(self.kind.to_string())
    }

    /// Whether the disk has no room.
    pub(crate) fn is_disk_full(&self) -> bool {
        matches!(*self.kind, ErrorKind::DiskFull)
    }

    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// An error of the disk. The client cannot mend it, so the cause goes to the log; only a full disk is named.
    pub(crate) fn disk(what: &'static str, error: &io::Error) -> Self {
        if disk::is_full(error) {
            tracing::warn!(%error, "the registry's disk has no room: {what}");
            return ErrorKind::DiskFull.into();
        }
        tracing::error!(%error, "the registry's files failed: {what}");
        ErrorKind::Disk(what).into()
    }
}

impl From<ErrorKind> for RegistryError {
    fn from(kind: ErrorKind) -> Self {
        let header = if let ErrorKind::MethodNotAllowed(methods) = &kind {
            Some((ALLOW, HeaderValue::from_static(methods)))
        } else if let ErrorKind::RangeNotSatisfiable { size } = &kind {
            Some((CONTENT_RANGE, value(&format!("bytes */{size}"))))
        } else if let ErrorKind::TooManyUploads = &kind {
            Some((RETRY_AFTER, HeaderValue::from(RETRY_SECS)))
        } else {
            None
        };
        Self { kind: Box::new(kind), headers: header.into_iter().collect() }
    }
}

impl From<CommitError> for RegistryError {
    fn from(error: CommitError) -> Self {
        let message = error.to_string();
        let kind = match error {
            CommitError::Unavailable(_) => ErrorKind::StoreUnavailable(message),
            CommitError::Refused(_) | CommitError::GuardFailed { key: _ } => {
                ErrorKind::Conflict(message)
            }
            CommitError::Unmet(Unmet::CredentialEnded(_)) => ErrorKind::CredentialEnded(message),
            CommitError::Unmet(Unmet::Denied { .. } | Unmet::Modified { .. }) => {
                ErrorKind::Denied(message)
            }
            CommitError::TooLarge(_) => {
                tracing::error!(%message, "a batch of the registry does not fit the store");
                ErrorKind::BatchTooLarge(message)
            }
        };
        kind.into()
    }
}

impl From<ReadError> for RegistryError {
    fn from(error: ReadError) -> Self {
        ErrorKind::StoreUnavailable(error.to_string()).into()
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let Self { kind, headers } = self;
        let entry = ErrorEntry { code: kind.code(), message: say(kind.to_string()) };
        let body = serde_json::to_vec(&ErrorBody { errors: [entry] });
        let mut response = Response::new(Body::from(body.expect("it holds text only")));
        *response.status_mut() = kind.status();
        let map = response.headers_mut();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.extend(headers);
        response
    }
}
