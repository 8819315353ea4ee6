//! Every error that the registry answers has a code of a closed list and is written by [`RegistryError`] alone, in the form
//! that the distribution spec gives errors. Messages name cause and next step and never hold a secret.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use model::{CommitError, Digest, Unmet};
use serde::Serialize;
use store::ReadError;

pub(crate) use oci_spec::distribution::ErrorCode;

/// The code of an error: one of the distribution spec, or one for what is the server's own fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum AnyCode {
    Spec(ErrorCode),
    Server(ServerErrorCode),
}

/// Codes beside the spec's, as other registries answer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ServerErrorCode {
    /// A fault of the server that trying again need not mend.
    Unknown,
    /// A fault of the server that passes, or that its operator mends.
    Unavailable,
}

impl From<ErrorCode> for AnyCode {
    fn from(code: ErrorCode) -> Self {
        Self::Spec(code)
    }
}

impl From<ServerErrorCode> for AnyCode {
    fn from(code: ServerErrorCode) -> Self {
        Self::Server(code)
    }
}

/// The body of an error (OCI distribution spec, "Error Codes"). `oci-spec` has no place for the codes beside the spec's.
#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    errors: [ErrorEntry<'a>; 1],
}

#[derive(Debug, Serialize)]
struct ErrorEntry<'a> {
    code: &'a AnyCode,
    message: &'a str,
}

/// An error as it is answered.
#[derive(Debug)]
pub(crate) struct RegistryError {
    status: StatusCode,
    code: AnyCode,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl RegistryError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<AnyCode>,
        message: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(code: impl Into<AnyCode>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn blob_unknown(digest: &Digest) -> Self {
        let message = format!("the repository holds no blob `{digest}`");
        Self::new(StatusCode::NOT_FOUND, ErrorCode::BlobUnknown, message)
    }

    pub(crate) fn manifest_unknown(reference: impl std::fmt::Display) -> Self {
        let message = format!("the repository holds no manifest `{reference}`");
        Self::new(StatusCode::NOT_FOUND, ErrorCode::ManifestUnknown, message)
    }

    pub(crate) fn name_unknown(repository: &str) -> Self {
        let message = format!("repository `{repository}` is not known here; push to it first");
        Self::new(StatusCode::NOT_FOUND, ErrorCode::NameUnknown, message)
    }

    pub(crate) fn upload_unknown() -> Self {
        let message =
            "there is no such upload: it has ended, was cancelled or expired; start a new one";
        Self::new(StatusCode::NOT_FOUND, ErrorCode::BlobUploadUnknown, message)
    }

    /// What the disk refuses. The client cannot help it, so the cause goes to the log; a full disk is named.
    pub(crate) fn disk(what: &'static str, error: &io::Error) -> Self {
        if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            tracing::error!(%error, "the registry's disk is full: {what}");
            let message = "the registry's disk is full; add space, then push again";
            return Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                ServerErrorCode::Unavailable,
                message,
            );
        }
        tracing::error!(%error, "the registry's files failed: {what}");
        let message = format!("the registry failed: {what}; see the server's log");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ServerErrorCode::Unknown, message)
    }
}

impl From<CommitError> for RegistryError {
    fn from(error: CommitError) -> Self {
        let message = error.to_string();
        match error {
            CommitError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ServerErrorCode::Unavailable, message)
            }
            // Somebody else changed the same thing meanwhile.
            CommitError::Refused(_) | CommitError::GuardFailed { key: _ } => {
                Self::new(StatusCode::CONFLICT, ErrorCode::Denied, message)
            }
            // A right that ended while the request was under way.
            CommitError::Unmet(Unmet::CredentialEnded(_)) => {
                Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, message)
            }
            CommitError::Unmet(Unmet::Denied { .. } | Unmet::Modified { .. }) => {
                Self::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message)
            }
            CommitError::TooLarge(_) => {
                tracing::error!(%message, "a batch of the registry does not fit the store");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, ServerErrorCode::Unknown, message)
            }
        }
    }
}

impl From<ReadError> for RegistryError {
    fn from(error: ReadError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ServerErrorCode::Unavailable, error.to_string())
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let Self { status, code, message, headers } = self;
        let body = ErrorBody { errors: [ErrorEntry { code: &code, message: &message }] };
        let body = serde_json::to_vec(&body).expect("it holds text only");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let map = response.headers_mut();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.extend(headers);
        response
    }
}
