//! Errors as RFC 9457 problem documents: a code out of a closed set for programs, and a sentence for people.

use std::fmt;
use std::str::FromStr;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Characters of a detail at most: what was sent may be quoted in it.
const LONGEST_DETAIL: usize = 2_000;

/// An error of the API (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// `about:blank`: the code says more than a URI would.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub type_uri: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for programs.
    pub code: ProblemCode,
    /// Cause and next step, for people; may be worded otherwise at any time.
    pub detail: String,
}

impl Problem {
    /// A problem of this code; its status follows from the code.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let detail = match detail.char_indices().nth(LONGEST_DETAIL) {
            Some((end, _)) => format!("{}...", &detail[..end]),
            None => detail,
        };
        let status = code.status();
        Self {
            type_uri: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code,
            detail,
        }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $status:ident,)+) => {
        /// What went wrong. Each code belongs to one HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
        pub enum ProblemCode {
            $($(#[$doc])* $code,)+
        }

        impl ProblemCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$code,)+];

            /// The status that it is answered with.
            pub const fn status(self) -> StatusCode {
                match self {
                    $(Self::$code => StatusCode::$status,)+
                }
            }

            /// Its name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code),)+
                }
            }
        }
    };
}

codes! {
    /// A value is not what it may be.
    InvalidParameter = BAD_REQUEST,
    /// A task definition that cannot be.
    InvalidTaskDefinition = BAD_REQUEST,
    /// The image exposes no port, and none was given.
    NoPort = BAD_REQUEST,
    /// Something of ECS's that Berth does not have.
    Unsupported = BAD_REQUEST,
    /// No token, or not a valid one.
    Unauthenticated = UNAUTHORIZED,
    /// The caller may not do this.
    AccessDenied = FORBIDDEN,
    /// There is nothing at this path.
    NoSuchPath = NOT_FOUND,
    /// No such cluster.
    ClusterNotFound = NOT_FOUND,
    /// No such container in the task.
    ContainerNotFound = NOT_FOUND,
    /// No such image in the registry.
    ImageNotFound = NOT_FOUND,
    /// No such instance.
    InstanceNotFound = NOT_FOUND,
    /// No such listener.
    ListenerNotFound = NOT_FOUND,
    /// No such repository.
    RepositoryNotFound = NOT_FOUND,
    /// No such router.
    RouterNotFound = NOT_FOUND,
    /// No such rule.
    RuleNotFound = NOT_FOUND,
    /// No such service.
    ServiceNotFound = NOT_FOUND,
    /// No such target group.
    TargetGroupNotFound = NOT_FOUND,
    /// No such task definition.
    TaskDefinitionNotFound = NOT_FOUND,
    /// No such task.
    TaskNotFound = NOT_FOUND,
    /// No such token.
    TokenNotFound = NOT_FOUND,
    /// Something else that does not exist.
    NotFound = NOT_FOUND,
    /// The path does not take this method.
    MethodNotAllowed = METHOD_NOT_ALLOWED,
    /// What should be made is there.
    AlreadyExists = CONFLICT,
    /// Several entities have that name.
    AmbiguousName = CONFLICT,
    /// Somebody else was faster: try again.
    Conflict = CONFLICT,
    /// Something still uses it.
    InUse = CONFLICT,
    /// The instance's agent is connected.
    InstanceConnected = CONFLICT,
    /// The join token is used up or too old.
    JoinTokenOver = CONFLICT,
    /// The instance has too little left.
    NoRoom = CONFLICT,
    /// The service takes no traffic.
    NoTargetGroup = CONFLICT,
    /// The service has no earlier completed deployment.
    NothingToRollBackTo = CONFLICT,
    /// Two rules that cannot be told apart.
    RuleConflict = CONFLICT,
    /// The service's tasks have several containers.
    SeveralContainers = CONFLICT,
    /// The entity's status does not allow it.
    WrongStatus = CONFLICT,
    /// `If-Match` names another state of the entity than it is in.
    PreconditionFailed = PRECONDITION_FAILED,
    /// The body is too large.
    PayloadTooLarge = PAYLOAD_TOO_LARGE,
    /// The idempotency key was used for another request.
    IdempotencyConflict = UNPROCESSABLE_ENTITY,
    /// The server cannot do it now.
    Unavailable = SERVICE_UNAVAILABLE,
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Text that is no code that this version knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a problem code of this version")]
pub struct UnknownCode;

impl FromStr for ProblemCode {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(UnknownCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_what_it_wrote() {
        for code in ProblemCode::ALL {
            let json = serde_json::to_string(code).unwrap();
            assert_eq!(json, format!("\"{code}\""));
            assert_eq!(serde_json::from_str::<ProblemCode>(&json).unwrap(), *code);
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }

    #[test]
    fn a_detail_quotes_what_was_sent_only_in_part() {
        let problem = Problem::new(ProblemCode::InvalidParameter, "ä".repeat(5_000));
        assert_eq!(problem.detail.chars().count(), LONGEST_DETAIL + 3);
        assert_eq!((problem.status, problem.title.as_str()), (400, "Bad Request"));
    }
}
