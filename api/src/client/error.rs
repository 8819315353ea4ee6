//! Why a call gave no answer.

use http::StatusCode;
use reqwest::Url;
use serde::Deserialize;

use crate::problem::ProblemCode;

/// Why a call gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// What should be the API's address is none.
    #[error("`{base}` is not the address of an API: {cause}")]
    Address {
        /// What was given.
        base: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Nothing listens there, or it does not answer in time.
    #[error("the API at {base} does not answer: {cause}")]
    Unreachable {
        /// The API's address.
        base: String,
        /// What went wrong.
        cause: String,
    },
    /// It answered that it will not.
    #[error(transparent)]
    Refused(Refused),
    /// It is no server of this revision of the API, and the two did not understand each other.
    #[error("{base} speaks another revision of the API: {cause}")]
    OtherRevision {
        /// The API's address.
        base: String,
        /// What was not understood.
        cause: String,
    },
    /// It answered something that this version does not understand.
    #[error("the answer of {base} cannot be read: {cause}")]
    Unreadable {
        /// The API's address.
        base: String,
        /// What is wrong with it.
        cause: String,
    },
}

/// A problem document as a client reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refused {
    /// The HTTP status.
    pub status: StatusCode,
    /// What went wrong; None where a newer server has a code that this version does not know, or the answer came from
    /// something else on the way.
    pub code: Option<ProblemCode>,
    /// Cause and next step, for people.
    pub detail: String,
}

#[derive(Debug, Default, Deserialize)]
struct Document {
    title: Option<String>,
    code: Option<String>,
    detail: Option<String>,
}

impl Refused {
    /// From the answer.
    pub(super) fn read(base: &Url, status: StatusCode, body: &[u8]) -> Self {
        let document: Document = serde_json::from_slice(body).unwrap_or_default();
        let detail = document.detail.or(document.title);
        Self {
            status,
            code: document.code.and_then(|code| code.parse().ok()),
            detail: detail.unwrap_or_else(|| format!("{} answered {status}", shown(base))),
        }
    }
}

impl CallError {
    pub(super) fn unreachable(base: &Url, error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Self::Unreachable { base: shown(base), cause: cause.to_string() }
    }

    /// An answer that says no. Where the revision is another one, a request that was not understood is told from one that
    /// was refused for what it asks.
    pub(super) fn refused(base: &Url, same_revision: bool, refused: Refused) -> Self {
        let not_understood = match refused.code {
            None => refused.status.is_client_error(),
            Some(code) => matches!(
                code,
                ProblemCode::InvalidParameter
                    | ProblemCode::MethodNotAllowed
                    | ProblemCode::NoSuchPath
            ),
        };
        if same_revision || !not_understood {
            return Self::Refused(refused);
        }
        Self::OtherRevision { base: shown(base), cause: refused.detail }
    }

    /// An answer that cannot be read.
    pub(super) fn unreadable(base: &Url, same_revision: bool, error: &serde_json::Error) -> Self {
        let (base, cause) = (shown(base), error.to_string());
        if same_revision {
            return Self::Unreadable { base, cause };
        }
        Self::OtherRevision { base, cause }
    }

    /// The code of the problem, where it is one.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(refused) => refused.code,
            Self::Address { .. }
            | Self::Unreachable { .. }
            | Self::OtherRevision { .. }
            | Self::Unreadable { .. } => None,
        }
    }
}

fn shown(base: &Url) -> String {
    base.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_another_revision_is_told_apart_where_the_two_do_not_understand_each_other() {
        let base: Url = "http://127.0.0.1:7070".parse().unwrap();
        let is_other = |same, status, body: &[u8]| {
            let error = CallError::refused(&base, same, Refused::read(&base, status, body));
            matches!(error, CallError::OtherRevision { base, .. } if base == "http://127.0.0.1:7070")
        };
        let bad = br#"{"code": "InvalidParameter", "detail": "unknown field `limit`"}"#;
        let gone = br#"{"code": "TaskNotFound", "detail": "no task"}"#;
        assert!(is_other(false, StatusCode::BAD_REQUEST, bad));
        assert!(!is_other(true, StatusCode::BAD_REQUEST, bad));
        assert!(!is_other(false, StatusCode::NOT_FOUND, gone));
        assert!(is_other(false, StatusCode::NOT_FOUND, b"<html>"));
        assert!(!is_other(false, StatusCode::BAD_GATEWAY, b"<html>"));
        let error = serde_json::from_str::<crate::Done>("[").unwrap_err();
        let unreadable = |same| CallError::unreadable(&base, same, &error);
        assert!(matches!(unreadable(false), CallError::OtherRevision { .. }));
        assert!(matches!(unreadable(true), CallError::Unreadable { .. }));
    }

    #[test]
    fn a_problem_of_a_newer_server_is_told_without_its_code() {
        let base: Url = "http://host".parse().unwrap();
        let known = br#"{"title": "Not Found", "code": "TaskNotFound", "detail": "no task"}"#;
        let known = Refused::read(&base, StatusCode::NOT_FOUND, known);
        assert_eq!((known.code, &*known.detail), (Some(ProblemCode::TaskNotFound), "no task"));
        let newer = br#"{"title": "Not Found", "code": "MoonNotFound"}"#;
        let newer = Refused::read(&base, StatusCode::NOT_FOUND, newer);
        assert_eq!((newer.code, &*newer.detail), (None, "Not Found"));
        let none = Refused::read(&base, StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!((none.code, &*none.detail), (None, "http://host answered 502 Bad Gateway"));
    }
}
