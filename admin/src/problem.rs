//! Errors as problem documents, each with a code and a sentence that names cause and next step.

use api::ProblemCode;
use axum::Json;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{CommitError, Refusal, Unmet};
use store::ReadError;

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

    pub(crate) fn unsupported(detail: impl Into<String>) -> Self {
        Self::new(ProblemCode::Unsupported, detail)
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

    pub(crate) fn denied(denied: &access::Denied) -> Self {
        Self::new(ProblemCode::AccessDenied, denied.to_string())
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

    /// An entity that is not there: its code, as ECS would say it, and where to see those that are.
    pub(crate) fn missing(kind: &'static str, name: &str) -> Self {
        let (code, list) = match kind {
            "service" => (ProblemCode::ServiceNotFound, "berth service ls"),
            "task" => (ProblemCode::TaskNotFound, "berth task ls"),
            "cluster" => (ProblemCode::ClusterNotFound, "berth cluster ls"),
            "task definition" => (ProblemCode::TaskDefinitionNotFound, "berth task-definition ls"),
            "instance" => (ProblemCode::InstanceNotFound, "berth instance ls"),
            "router" => (ProblemCode::RouterNotFound, "berth router ls"),
            "rule" => (ProblemCode::RuleNotFound, "berth rule ls"),
            "repository" => (ProblemCode::RepositoryNotFound, "berth image ls"),
            "target group" => (ProblemCode::TargetGroupNotFound, "berth rule ls"),
            "listener" => (ProblemCode::ListenerNotFound, "berth rule ls"),
            _ => (ProblemCode::NotFound, "berth status"),
        };
        let detail = format!("{kind} `{name}` does not exist; `{list}` shows what does");
        Self::new(code, detail)
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

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotFound { kind, name } => Self::missing(kind, &name),
            Refusal::Exists { .. } | Refusal::ServiceExists { .. } => {
                Self::new(ProblemCode::AlreadyExists, detail)
            }
            Refusal::WrongStatus { .. } => Self::new(ProblemCode::WrongStatus, detail),
            Refusal::InUse { .. } => Self::new(ProblemCode::InUse, detail),
            Refusal::NotNext { .. } => {
                let detail = format!("{detail}: somebody else was faster, try again");
                Self::new(ProblemCode::Conflict, detail)
            }
            Refusal::RuleConflict { other, .. } => {
                let next =
                    format!("choose another, or remove that rule with `berth rule rm {other}`");
                Self::new(ProblemCode::RuleConflict, format!("{detail}; {next}"))
            }
            Refusal::JoinTokenOver(_) => Self::new(ProblemCode::JoinTokenOver, detail),
            Refusal::NoRoom { .. } => Self::new(ProblemCode::NoRoom, detail),
            Refusal::Definition { .. } => Self::new(ProblemCode::InvalidTaskDefinition, detail),
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
                Self::new(ProblemCode::AccessDenied, detail)
            }
            CommitError::Unmet(Unmet::Modified { .. }) => {
                Self::new(ProblemCode::PreconditionFailed, detail)
            }
            CommitError::GuardFailed { .. } => Self::new(ProblemCode::Conflict, detail),
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
