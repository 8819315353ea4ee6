//! Talks to the admin API: one request, one typed answer, or an error that says what to do next.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exit::Exit;

/// Where the admin API is, and who asks.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// Why a call gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there, or not in time.
    #[error(
        "Berth does not answer at {base}: {cause}. Is it running? Start it with `berth up`, or say where it is with \
         BERTH_URL and BERTH_TOKEN"
    )]
    Unreachable {
        /// The admin API's address.
        base: String,
        /// What went wrong.
        cause: String,
    },
    /// It answered that it will not.
    #[error("{detail}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The stable code of the problem.
        code: String,
        /// Cause and next step.
        detail: String,
    },
    /// It answered something that this program does not understand.
    #[error("the answer of {base} is not what this version of berth understands: {cause}")]
    Unreadable {
        /// The admin API's address.
        base: String,
        /// What was wrong with it.
        cause: String,
    },
}

impl CallError {
    /// The exit code that belongs to it.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Unreadable { .. } => Exit::Failure,
            Self::Refused { status, .. } => match *status {
                StatusCode::NOT_FOUND => Exit::NotFound,
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Forbidden,
                StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Exit::Conflict,
                _ => Exit::Failure,
            },
        }
    }
}

impl Client {
    /// A client for the API at `base`, as in `http://127.0.0.1:7070`.
    pub fn new(base: &str, token: &str) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .build()
            .expect("a client without certificates of its own can always be built");
        Self { http, base: base.trim_end_matches('/').to_owned(), token: token.to_owned() }
    }

    /// The answer of a GET.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::GET, path, None::<&Value>).await
    }

    /// A whole list, page by page.
    pub(crate) async fn list(&self, path: &str) -> Result<Value, CallError> {
        let mut answer: Value = self.get(path).await?;
        while let Some(token) = answer["nextToken"].take().as_str() {
            let more = if path.contains('?') { '&' } else { '?' };
            let mut page: Value = self.get(&format!("{path}{more}nextToken={token}")).await?;
            answer["nextToken"] = page["nextToken"].take();
            let rest = page["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
            answer["items"].as_array_mut().into_iter().for_each(|all| all.extend(rest.clone()));
        }
        if let Some(list) = answer.as_object_mut() {
            list.remove("nextToken");
        }
        Ok(answer)
    }

    /// The answer of a POST.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The answer of a PATCH.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, CallError> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// The answer of a DELETE.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        self.call(Method::DELETE, path, None::<&Value>).await
    }

    /// The answer of a GET as it comes, for logs.
    pub async fn stream(&self, path: &str) -> Result<reqwest::Response, CallError> {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(self.refused(answer).await) }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T, CallError> {
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
            .timeout(Duration::from_secs(30));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            return Err(self.refused(answer).await);
        }
        let bytes = answer.bytes().await.map_err(|error| self.unreachable(&error))?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|error| CallError::Unreadable {
            base: self.base.clone(),
            cause: error.to_string(),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> CallError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        CallError::Unreachable { base: self.base.clone(), cause: cause.to_string() }
    }

    async fn refused(&self, answer: reqwest::Response) -> CallError {
        let status = answer.status();
        let problem: Value = answer.json().await.unwrap_or_default();
        let text = |key: &str| problem[key].as_str().map(ToOwned::to_owned);
        let detail = text("detail").or_else(|| text("title"));
        CallError::Refused {
            status,
            code: text("code").unwrap_or_default(),
            detail: detail.unwrap_or_else(|| format!("{} answered {status}", self.base)),
        }
    }
}
