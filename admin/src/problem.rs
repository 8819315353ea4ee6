//! Errors as problem documents, each with a code and a sentence that names cause and next step.

use api::ProblemCode;
use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::Refused;

use crate::sentence;

/// A problem document as an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem(pub(crate) api::Problem);

impl Problem {
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self(api::Problem::new(code, detail))
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::InvalidParameter, detail)
    }

    pub(crate) fn no_credential() -> Self {
        Self::new(ProblemCode::Unauthenticated, sentence::no_credential())
    }

    pub(crate) fn wrong_credential() -> Self {
        Self::new(ProblemCode::Unauthenticated, sentence::wrong_credential())
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(ProblemCode::NoSuchPath, sentence::no_such_path())
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(ProblemCode::MethodNotAllowed, sentence::method_not_allowed())
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Unavailable, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.0.code.status();
        let mut response = (status, Json(self.0)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self(api::Problem::new(refused.code(), refused.to_string()))
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(ProblemCode::PayloadTooLarge, sentence::body_too_large())
            }
            _ => Self::invalid(sentence::body_unreadable(&rejection.body_text())),
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        if let PathRejection::FailedToDeserializePathParams(error) = &rejection
            && let ErrorKind::Message(message) | ErrorKind::DeserializeError { message, .. } =
                error.kind()
        {
            return Self::invalid(message.clone());
        }
        Self::invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(sentence::query_unreadable(&rejection.body_text()))
    }
}
