//! Errors as RFC 9457 problem documents, each with a stable `code` and a sentence that names cause and next step.

use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{CommitError, Refusal, Unmet};
use serde::Serialize;
use store::ReadError;
use utoipa::ToSchema;

/// Characters of a detail at most.
const LONGEST_DETAIL: usize = 2_000;

/// An error of the API (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Problem {
    /// `about:blank`: the code says more than a URI would.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// Stable, for programs.
    code: &'static str,
    /// Cause and next step, for people.
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        // What was sent may be quoted in it.
        let detail = match detail.char_indices().nth(LONGEST_DETAIL) {
            Some((end, _)) => format!("{}...", &detail[..end]),
            None => detail,
        };
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code,
            detail,
        }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidParameter", detail)
    }

    pub(crate) fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Unsupported", detail)
    }

    pub(crate) fn no_credential() -> Self {
        let detail = "this needs a token: send the header `Authorization: Bearer TOKEN`; the administrator's token is in \
                      `admin.token` in the data directory";
        Self::new(StatusCode::UNAUTHORIZED, "Unauthenticated", detail)
    }

    pub(crate) fn wrong_credential() -> Self {
        let detail = "the token is not valid: it is mistyped, revoked or over; the administrator's token is in `admin.token` \
                      in the data directory";
        Self::new(StatusCode::UNAUTHORIZED, "Unauthenticated", detail)
    }

    pub(crate) fn denied(denied: &access::Denied) -> Self {
        Self::new(StatusCode::FORBIDDEN, "AccessDenied", denied.to_string())
    }

    pub(crate) fn no_such_path() -> Self {
        let detail = "there is nothing at this path; the API lives under /api/v1 and is described at /api/v1/openapi.json";
        Self::not_found("NoSuchPath", detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take that method; see /api/v1/openapi.json";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", detail)
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Unavailable", detail)
    }

    /// An entity that is not there: its code, as ECS would say it, and where to see those that are.
    pub(crate) fn missing(kind: &'static str, name: &str) -> Self {
        let (code, list) = match kind {
            "service" => ("ServiceNotFound", "berth service ls"),
            "task" => ("TaskNotFound", "berth task ls"),
            "cluster" => ("ClusterNotFound", "berth cluster ls"),
            "task definition" => ("TaskDefinitionNotFound", "berth task-definition ls"),
            "instance" => ("InstanceNotFound", "berth instance ls"),
            "router" => ("RouterNotFound", "berth router ls"),
            "rule" => ("RuleNotFound", "berth rule ls"),
            "repository" => ("RepositoryNotFound", "berth image ls"),
            "target group" => ("TargetGroupNotFound", "berth rule ls"),
            "listener" => ("ListenerNotFound", "berth rule ls"),
            _ => ("NotFound", "berth status"),
        };
        let detail = format!("{kind} `{name}` does not exist; `{list}` shows what does");
        Self::not_found(code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let kind = header::HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotFound { kind, name } => Self::missing(kind, &name),
            Refusal::Exists { .. } | Refusal::ServiceExists { .. } => {
                Self::conflict("AlreadyExists", detail)
            }
            Refusal::WrongStatus { .. } => Self::conflict("WrongStatus", detail),
            Refusal::InUse { .. } => Self::conflict("InUse", detail),
            Refusal::NotNext { .. } => {
                Self::conflict("Conflict", format!("{detail}: somebody else was faster, try again"))
            }
            Refusal::RuleConflict { other, .. } => {
                let next =
                    format!("choose another, or remove that rule with `berth rule rm {other}`");
                Self::conflict("RuleConflict", format!("{detail}; {next}"))
            }
            Refusal::JoinTokenOver(_) => Self::conflict("JoinTokenOver", detail),
            Refusal::NoRoom { .. } => Self::conflict("NoRoom", detail),
            Refusal::Definition { .. } => {
                Self::new(StatusCode::BAD_REQUEST, "InvalidTaskDefinition", detail)
            }
            Refusal::Invalid(_) => Self::invalid(detail),
        }
    }
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        let detail = error.to_string();
        match error {
            CommitError::Refused(refusal) => refusal.into(),
            CommitError::Unmet(Unmet::CredentialEnded(_)) => Self::wrong_credential(),
            CommitError::Unmet(Unmet::Denied { .. }) => {
                Self::new(StatusCode::FORBIDDEN, "AccessDenied", detail)
            }
            CommitError::Unmet(Unmet::Modified { .. }) | CommitError::GuardFailed { .. } => {
                Self::conflict("Conflict", detail)
            }
            CommitError::TooLarge(_) => Self::invalid(detail),
            CommitError::Unavailable(_) => Self::unavailable(detail),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<BytesRejection> for Problem {
    fn from(rejection: BytesRejection) -> Self {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "PayloadTooLarge",
                "the body is larger than 1 MiB",
            ),
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
