//! The mirror's side of HTTP: GET and HEAD of manifests and blobs by digest, forwarded and checked.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt as _;
use link::client::Http;
use model::{Digest, RepositoryName};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Mirror, verify};
use crate::error::MirrorError;

/// How long the registry may take to begin an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Headers of a request that are forwarded. `Range` is not: only a whole body can be verified, and a client that asks for a
/// part must accept the whole (RFC 9110 section 14.2).
const REQUEST_HEADERS: [HeaderName; 1] = [header::ACCEPT];
/// Headers of an answer that are forwarded.
const RESPONSE_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::ETAG,
    HeaderName::from_static("docker-content-digest"),
    HeaderName::from_static("docker-distribution-api-version"),
];

#[derive(Debug)]
struct Serving {
    mirror: Arc<Mirror>,
    http: Http,
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MirrorRequest {
    /// The base endpoint, `/v2/`.
    Base,
    /// A manifest or blob.
    Content(Digest),
}

impl Mirror {
    /// Serves until `shutdown`, forwarding over the link.
    pub(crate) fn serve(
        listener: TcpListener,
        http: Http,
        shutdown: CancellationToken,
    ) -> io::Result<Arc<Self>> {
        let mirror = Arc::new(Self::new(listener.local_addr()?));
        let app = app(Arc::clone(&mirror), http);
        tokio::spawn(async move {
            let serving = axum::serve(listener, app);
            tokio::select! {
                served = serving => if let Err(error) = served {
                    tracing::error!(%error, "the image mirror has ended");
                },
                () = shutdown.cancelled() => {}
            }
        });
        Ok(mirror)
    }
}

/// The mirror's HTTP application.
fn app(mirror: Arc<Mirror>, http: Http) -> axum::Router {
    axum::Router::new().fallback(answer).with_state(Arc::new(Serving { mirror, http }))
}

async fn answer(State(serving): State<Arc<Serving>>, request: Request) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let Some(pull) = serving.mirror.authenticate(authorization) else {
        let mut refusal = refuse(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "this mirror serves its own agent only",
        );
        let challenge = HeaderValue::from_static("Basic realm=\"berth\"");
        refusal.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        return refusal;
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = "this mirror only gives: push to the registry itself";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message);
    }
    match asked(request.uri().path()) {
        Some(MirrorRequest::Base) => {
            let version =
                [(HeaderName::from_static("docker-distribution-api-version"), "registry/2.0")];
            (version, Json(json!({}))).into_response()
        }
        Some(MirrorRequest::Content(digest)) => {
            serving.forward(&pull, digest, request.into_parts().0).await
        }
        None => {
            let message = "this mirror serves manifests and blobs by digest";
            refuse(StatusCode::NOT_FOUND, "UNSUPPORTED", message)
        }
    }
}

/// What a path is for; None where the mirror does not serve it.
pub(super) fn asked(path: &str) -> Option<MirrorRequest> {
    let rest = path.strip_prefix("/v2")?;
    if matches!(rest, "" | "/") {
        return Some(MirrorRequest::Base);
    }
    let (rest, digest) = rest.strip_prefix('/')?.rsplit_once('/')?;
    let (name, kind) = rest.rsplit_once('/')?;
    if !matches!(kind, "manifests" | "blobs") {
        return None;
    }
    name.parse::<RepositoryName>().ok()?;
    digest.parse().ok().map(MirrorRequest::Content)
}

impl Serving {
    async fn forward(&self, pull: &str, digest: Digest, request: Parts) -> Response {
        let url = format!("{}{}", self.http.base, request.uri.path());
        let headers = only(&request.headers, &REQUEST_HEADERS);
        let asking = self.http.client.request(request.method.clone(), url).headers(headers);
        let answer = match tokio::time::timeout(ANSWER_TIMEOUT, asking.send()).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let cause = error.without_url().to_string();
                return self.unavailable(pull, MirrorError::Broken(cause));
            }
            Err(_) => return self.unavailable(pull, MirrorError::Timeout(ANSWER_TIMEOUT)),
        };
        let status = answer.status();
        if status.is_server_error() {
            return self.unavailable(pull, MirrorError::Status(status.as_u16()));
        }
        if !status.is_success() {
            let error = match status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => MirrorError::Denied,
                _ => MirrorError::NotFound,
            };
            self.mirror.record(pull, error);
        }
        let headers = only(answer.headers(), &RESPONSE_HEADERS);
        let body = if status.is_success() && request.method == Method::GET {
            let mirror = Arc::clone(&self.mirror);
            let pull = pull.to_owned();
            let (beginning, began) = (Arc::clone(&mirror), pull.clone());
            let mut is_first = true;
            let bytes = answer.bytes_stream().inspect_ok(move |bytes| {
                if std::mem::take(&mut is_first) {
                    beginning.record_begin(&began, bytes);
                }
            });
            let record = move |error| mirror.record(&pull, error);
            Body::from_stream(verify::checked(bytes, digest, record))
        } else {
            Body::from_stream(answer.bytes_stream())
        };
        // A 401 would make Docker ask for other credentials, but it is this agent that the registry refuses.
        let status =
            if status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { status };
        (status, headers, body).into_response()
    }

    fn unavailable(&self, pull: &str, error: MirrorError) -> Response {
        tracing::warn!("the image mirror cannot reach the registry: {error}");
        let refusal = refuse(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", &error.to_string());
        self.mirror.record(pull, error);
        refusal
    }
}

fn only(headers: &HeaderMap, names: &[HeaderName]) -> HeaderMap {
    let kept =
        names.iter().flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// An error as the OCI distribution spec writes it.
fn refuse(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"errors": [{"code": code, "message": message}]}))).into_response()
}
