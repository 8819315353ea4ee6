//! Every error that the registry answers has a code of the closed list [`ErrorCode`] and is written by [`RegistryError`] alone, in the
//! form that the distribution spec gives errors. Messages name cause and next step and never hold a secret.

use std::io;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use model::{CommitError, Digest, Unmet};
use serde_json::json;
use store::ReadError;

macro_rules! codes {
    ($($name:ident = $text:literal,)+) => {
        /// The error codes of the distribution spec, and two for what is the server's own fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum ErrorCode {
            $($name,)+
        }

        impl ErrorCode {
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)+];

            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    BlobUnknown = "BLOB_UNKNOWN",
    BlobUploadInvalid = "BLOB_UPLOAD_INVALID",
    BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN",
    DigestInvalid = "DIGEST_INVALID",
    ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN",
    ManifestInvalid = "MANIFEST_INVALID",
    ManifestUnknown = "MANIFEST_UNKNOWN",
    NameInvalid = "NAME_INVALID",
    NameUnknown = "NAME_UNKNOWN",
    SizeInvalid = "SIZE_INVALID",
    Unauthorized = "UNAUTHORIZED",
    Denied = "DENIED",
    Unsupported = "UNSUPPORTED",
    TooManyRequests = "TOOMANYREQUESTS",
    Unknown = "UNKNOWN",
    Unavailable = "UNAVAILABLE",
}

/// An error as it is answered.
#[derive(Debug)]
pub(crate) struct RegistryError {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl RegistryError {
    pub(crate) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), headers: Vec::new() }
    }

    pub(crate) fn bad_request(code: ErrorCode, message: impl Into<String>) -> Self {
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
            return Self::new(StatusCode::INSUFFICIENT_STORAGE, ErrorCode::Unavailable, message);
        }
        tracing::error!(%error, "the registry's files failed: {what}");
        let message = format!("the registry failed: {what}; see the server's log");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message)
    }
}

impl From<CommitError> for RegistryError {
    fn from(error: CommitError) -> Self {
        let message = error.to_string();
        match error {
            CommitError::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, message)
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
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Unknown, message)
            }
        }
    }
}

impl From<ReadError> for RegistryError {
    fn from(error: ReadError) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, error.to_string())
    }
}

impl IntoResponse for RegistryError {
    fn into_response(self) -> Response {
        let Self { status, code, message, headers } = self;
        let body = json!({ "errors": [{ "code": code.as_str(), "message": message }] });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let map = response.headers_mut();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.extend(headers);
        response
    }
}
