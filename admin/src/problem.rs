//! Errors as problem documents, each with a code and a sentence that names cause and next step.

use api::ProblemCode;
use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use control::Refused;

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
        let detail = "this needs a token: send the header `Authorization: Bearer TOKEN`; the administrator's token is in \
                      `admin.token` in the data directory";
        Self::new(ProblemCode::Unauthenticated, detail)
    }

    pub(crate) fn wrong_credential() -> Self {
        let detail = "the token is not valid: it is mistyped, revoked or over; the administrator's token is in `admin.token` \
                      in the data directory";
        Self::new(ProblemCode::Unauthenticated, detail)
    }

    pub(crate) fn no_such_path() -> Self {
        let detail = "there is nothing at this path; the API lives under /api/v1 and is described at /api/v1/openapi.json";
        Self::new(ProblemCode::NoSuchPath, detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take that method; see /api/v1/openapi.json";
        Self::new(ProblemCode::MethodNotAllowed, detail)
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
                Self::new(ProblemCode::PayloadTooLarge, "the body is larger than 1 MiB")
            }
            _ => Self::invalid(format!("the body cannot be read: {}", rejection.body_text())),
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
        Self::invalid(format!("the query cannot be read: {}", rejection.body_text()))
    }
}
