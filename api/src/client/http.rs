//! Requests and answers over HTTP: paths, headers, bodies and errors, whatever they are about.

use std::time::Duration;

use ::http::header::{ETAG, IF_MATCH};
use model::chain;
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::{CallError, Refused};
use crate::header::{API_REVISION, EntityTag, IDEMPOTENCY_KEY, IdempotencyKey, IfMatch, REVISION};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take; logs, which may be followed for days, have no limit.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the API is, and who asks.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// One entity, with the state that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged<T> {
    /// The entity.
    pub value: T,
    /// What an update of exactly this state sends as `If-Match`.
    pub tag: Option<EntityTag>,
}

/// The lines of a log as they come.
#[derive(Debug)]
pub struct Logs {
    answer: Response,
    base: Url,
}

impl Logs {
    /// The next bytes; None at the end.
    pub async fn next(&mut self) -> Result<Option<impl AsRef<[u8]> + use<>>, CallError> {
        self.answer.chunk().await.map_err(|error| CallError::unreachable(&self.base, &error))
    }
}

/// A request without a query.
pub(super) const NO_QUERY: () = ();

impl Client {
    /// A client of the API at `base`, as in `http://127.0.0.1:7070`. Panics where the program has not installed a provider
    /// of rustls.
    pub fn new(base: &str, token: &str) -> Result<Self, CallError> {
        let wrong = |cause: String| CallError::Address { base: base.to_owned(), cause };
        let url = base_url(base).map_err(wrong)?;
        let mut builder = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_TIMEOUT);
        if url.scheme() == "http" {
            // A host that trusts no authority yet, as a small one, must not keep anybody from an API without TLS.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| wrong(chain(&error)))?;
        Ok(Self { http, base: url, token: token.to_owned() })
    }

    pub(super) fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &impl Serialize,
    ) -> RequestBuilder {
        self.http.request(method, url(&self.base, path)).query(query).bearer_auth(&self.token)
    }

    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<T, CallError> {
        self.answer(self.request(Method::GET, path, query)).await
    }

    pub(super) async fn get_tagged<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
    ) -> Result<Tagged<T>, CallError> {
        let answer = self.send(self.request(Method::GET, path, query).timeout(TIMEOUT)).await?;
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()?.parse().ok());
        Ok(Tagged { value: self.read(answer).await?, tag })
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
        body: &impl Serialize,
        key: Option<&IdempotencyKey>,
    ) -> Result<T, CallError> {
        let mut request = self.request(Method::POST, path, query).json(body);
        if let Some(key) = key {
            request = request.header(IDEMPOTENCY_KEY, key.as_str());
        }
        self.answer(request).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
        body: &impl Serialize,
        if_match: Option<&IfMatch>,
    ) -> Result<T, CallError> {
        let request = self.request(Method::PATCH, path, query).json(body);
        self.answer(on_condition(request, if_match)).await
    }

    pub(super) async fn delete<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &impl Serialize,
        if_match: Option<&IfMatch>,
    ) -> Result<T, CallError> {
        let request = self.request(Method::DELETE, path, query);
        self.answer(on_condition(request, if_match)).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, CallError> {
        let answer = self.send(request.timeout(TIMEOUT)).await?;
        self.read(answer).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, CallError> {
        let answer = request.send().await;
        let answer = answer.map_err(|error| CallError::unreachable(&self.base, &error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, same_revision) = (answer.status(), is_same_revision(&answer));
        let body = answer.bytes().await.unwrap_or_default();
        let refused = Refused::read(&self.base, status, &body);
        Err(CallError::refused(&self.base, same_revision, refused))
    }

    /// The body of an answer as it comes, without a limit of time.
    pub(super) async fn stream(&self, request: RequestBuilder) -> Result<Logs, CallError> {
        Ok(Logs { answer: self.send(request).await?, base: self.base.clone() })
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response) -> Result<T, CallError> {
        let same_revision = is_same_revision(&answer);
        let bytes = answer.bytes().await;
        let bytes = bytes.map_err(|error| CallError::unreachable(&self.base, &error))?;
        let value = serde_json::from_slice(&bytes);
        value.map_err(|error| CallError::unreadable(&self.base, same_revision, &error))
    }
}

/// An address as people have it: with or without a scheme, and with or without the path of the API, as `berth up` shows it.
fn base_url(text: &str) -> Result<Url, String> {
    let text = text.trim();
    let with_scheme = match text.split_once("://") {
        Some(_) => text.to_owned(),
        None => format!("http://{text}"),
    };
    let mut url: Url = with_scheme.parse().map_err(|error| format!("{error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err("it is no address of a host over HTTP".to_owned());
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/api/v1").unwrap_or(path).to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn is_same_revision(answer: &Response) -> bool {
    let revision = answer.headers().get(API_REVISION);
    revision.is_some_and(|revision| revision.as_bytes() == REVISION.as_bytes())
}

/// The URL of a path by its parts, each percent-encoded as one.
fn url(base: &Url, path: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(["api", "v1"]).extend(path);
    }
    url
}

fn on_condition(request: RequestBuilder, if_match: Option<&IfMatch>) -> RequestBuilder {
    match if_match {
        Some(if_match) => request.header(IF_MATCH, if_match.to_string()),
        None => request,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_path_is_one_part_whatever_it_holds() {
        let url = |base: &str, path: &[&str]| url(&base.parse().unwrap(), path).to_string();
        let base = "http://127.0.0.1:7070";
        assert_eq!(url(base, &["status"]), "http://127.0.0.1:7070/api/v1/status");
        assert_eq!(
            url("http://host/berth/", &["instances", "a/b c?d%e"]),
            "http://host/berth/api/v1/instances/a%2Fb%20c%3Fd%25e"
        );
    }

    #[test]
    fn an_address_is_taken_as_people_have_it() {
        let url = |base: &str| url(&base_url(base).unwrap(), &["status"]).to_string();
        for base in [
            "http://localhost:7070",
            "http://localhost:7070/",
            "http://localhost:7070/api/v1",
            "http://localhost:7070/api/v1/",
            "localhost:7070",
            " localhost:7070/api/v1\n",
        ] {
            assert_eq!(url(base), "http://localhost:7070/api/v1/status", "{base}");
        }
        assert_eq!(url("https://host/berth/api/v1"), "https://host/berth/api/v1/status");
    }

    #[test]
    fn an_address_that_is_none_is_said_at_once() {
        for bad in ["", "http://", "ftp://host", "mailto://x", "ho st"] {
            let error = Client::new(bad, "t").unwrap_err();
            assert!(matches!(error, CallError::Address { .. }), "{bad}");
        }
    }
}
