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
    pub(super) fn read(status: StatusCode, body: &[u8]) -> Self {
        let document: Document = serde_json::from_slice(body).unwrap_or_default();
        let detail = document.detail.or(document.title);
        Self {
            status,
            code: document.code.and_then(|code| code.parse().ok()),
            detail: detail.unwrap_or_else(|| format!("the answer was {status}")),
        }
    }
}

impl CallError {
    pub(super) fn unreachable(base: &Url, error: &reqwest::Error) -> Self {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let base = base.as_str().trim_end_matches('/').to_owned();
        Self::Unreachable { base, cause: cause.to_string() }
    }

    /// The code of the problem, where it is one.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(refused) => refused.code,
            Self::Address { .. } | Self::Unreachable { .. } | Self::Unreadable { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_a_newer_server_is_told_without_its_code() {
        let known = br#"{"title": "Not Found", "code": "TaskNotFound", "detail": "no task"}"#;
        let known = Refused::read(StatusCode::NOT_FOUND, known);
        assert_eq!((known.code, &*known.detail), (Some(ProblemCode::TaskNotFound), "no task"));
        let newer = br#"{"title": "Not Found", "code": "MoonNotFound"}"#;
        let newer = Refused::read(StatusCode::NOT_FOUND, newer);
        assert_eq!((newer.code, &*newer.detail), (None, "Not Found"));
        let none = Refused::read(StatusCode::BAD_GATEWAY, b"<html>");
        assert_eq!((none.code, &*none.detail), (None, "the answer was 502 Bad Gateway"));
    }
}
