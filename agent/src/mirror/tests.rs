//! The mirror against a registry that may lie.

use std::io;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::Digest;
use reqwest::Method;
use sha2::{Digest as _, Sha256, Sha512};
use tokio_util::sync::CancellationToken;

use super::serve::{MirrorRequest, asked};
use super::*;
use crate::tests::http;

const CONTENT: &[u8] = b"all that the image has";

/// What the registry has been asked.
type Log = Arc<Mutex<Vec<String>>>;

async fn registry(State(log): State<Log>, request: Request) -> Response {
    let range = request.headers().get("range").map_or("", |_| " with a range");
    let said = format!("{} {}{range}", request.method(), request.uri().path());
    log.lock().unwrap().push(said);
    let path = request.uri().path().to_owned();
    let pieces = [Ok::<_, io::Error>(Bytes::from(&CONTENT[..5])), Ok(Bytes::from(&CONTENT[5..]))];
    if path.contains("/missing/") {
        StatusCode::NOT_FOUND.into_response()
    } else if path.contains("/denied/") {
        StatusCode::FORBIDDEN.into_response()
    } else if path.contains("/broken/") {
        StatusCode::BAD_GATEWAY.into_response()
    } else if path.contains("/streamed/") {
        Body::from_stream(futures_util::stream::iter(pieces)).into_response()
    } else {
        ([("content-type", "application/x")], CONTENT).into_response()
    }
}

struct TestMirror {
    mirror: Arc<Mirror>,
    client: reqwest::Client,
    log: Log,
    stop: CancellationToken,
}

impl TestMirror {
    async fn new() -> Self {
        let log = Log::default();
        let app = axum::Router::new().fallback(registry).with_state(Arc::clone(&log));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self::before(base, log).await
    }

    async fn before(base: String, log: Log) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = http(base);
        let client = http.client.clone();
        let mirror = Mirror::serve(listener, http, stop.clone()).unwrap();
        Self { mirror, client, log, stop }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        credentials: &PullCredentials,
    ) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.mirror.address);
        let request = self.client.request(method, url).header("range", "bytes=3-");
        request.basic_auth(credentials.user(), Some(credentials.secret()))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        credentials: &PullCredentials,
    ) -> reqwest::Response {
        self.request(method, path, credentials).send().await.unwrap()
    }

    async fn get(&self, path: &str, credentials: &PullCredentials) -> reqwest::Response {
        self.ask(Method::GET, path, credentials).await
    }
}

impl Drop for TestMirror {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn right() -> Digest {
    Digest::Sha256(Sha256::digest(CONTENT).into())
}

fn wrong() -> Digest {
    Digest::Sha256([7; 32])
}

#[tokio::test]
async fn bytes_that_hash_to_their_digest_pass_whole_and_unasked_parts_with_them() {
    let mirror = TestMirror::new().await;
    let credentials = mirror.mirror.issue_credentials();
    let sha512 = Digest::Sha512(Sha512::digest(CONTENT).into());
    for path in [
        format!("/v2/team/hello/blobs/{}", right()),
        format!("/v2/hello/manifests/{}", right()),
        format!("/v2/streamed/blobs/{}", right()),
        format!("/v2/hello/blobs/{sha512}"),
    ] {
        let answer = mirror.get(&path, &credentials).await;
        assert_eq!(answer.status(), 200, "a range is answered with the whole");
        assert_eq!(answer.bytes().await.unwrap(), CONTENT);
        assert_eq!(mirror.asked(), [format!("GET {path}")]);
    }
    let path = format!("/v2/hello/blobs/{}", right());
    let head = mirror.ask(Method::HEAD, &path, &credentials).await;
    assert_eq!(head.headers()["content-length"], CONTENT.len().to_string().as_str());
    assert_eq!(head.headers()["content-type"], "application/x");
    assert_eq!(credentials.failure(), None);
}

#[tokio::test]
async fn bytes_that_do_not_hash_to_their_digest_are_cut_and_the_pull_is_told() {
    let mirror = TestMirror::new().await;
    for repository in ["hello", "streamed"] {
        let credentials = mirror.mirror.issue_credentials();
        let path = format!("/v2/{repository}/blobs/{}", wrong());
        let reading =
            async { mirror.request(Method::GET, &path, &credentials).send().await?.bytes().await };
        reading.await.expect_err("it does not end well");
        assert!(matches!(credentials.failure(), Some(MirrorError::Corrupt { .. })), "{repository}");
    }
}

#[tokio::test]
async fn without_the_secret_that_only_docker_gets_nothing_is_asked_for() {
    let mirror = TestMirror::new().await;
    let path = format!("/v2/hello/blobs/{}", right());
    let url = format!("http://{}{path}", mirror.mirror.address);
    let anonymous = mirror.client.get(&url).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    assert_eq!(anonymous.headers()["www-authenticate"], "Basic realm=\"berth\"");
    let credentials = mirror.mirror.issue_credentials();
    let (user, secret) = (credentials.user().to_owned(), credentials.secret().to_owned());
    for (name, password) in [(user.as_str(), "guess"), (&user, ""), (&secret, &user)] {
        let request = mirror.client.get(&url).basic_auth(name, Some(password));
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert!(mirror.asked().is_empty());
}

#[tokio::test]
async fn nothing_but_reading_by_digest_reaches_the_registry() {
    let mirror = TestMirror::new().await;
    let credentials = mirror.mirror.issue_credentials();
    let path = format!("/v2/hello/blobs/{}", right());
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(mirror.ask(method, &path, &credentials).await.status(), 405);
    }
    for path in ["/v2/_catalog", "/v2/hello/tags/list", "/v2/hello/manifests/latest", "/", "/join"]
    {
        assert_eq!(mirror.get(path, &credentials).await.status(), 404, "{path}");
    }
    assert_eq!(mirror.get("/v2/", &credentials).await.status(), 200);
    assert!(mirror.asked().is_empty());
}

#[tokio::test]
async fn each_pull_is_told_what_stood_in_its_way() {
    let mirror = TestMirror::new().await;
    let fine = mirror.mirror.issue_credentials();
    for (repository, status, expected) in [
        ("missing", 404, MirrorError::NotFound),
        ("denied", 403, MirrorError::Denied),
        ("broken", 503, MirrorError::Status(502)),
    ] {
        let credentials = mirror.mirror.issue_credentials();
        let answer = mirror.get(&format!("/v2/{repository}/blobs/{}", right()), &credentials).await;
        assert_eq!(answer.status(), status);
        assert_eq!(credentials.failure(), Some(expected));
    }
    assert_eq!(fine.failure(), None, "another pull is not concerned");
}

#[tokio::test]
async fn a_server_that_is_away_is_no_missing_image() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mirror = TestMirror::before(format!("http://{free}"), Log::default()).await;
    let credentials = mirror.mirror.issue_credentials();
    let answer = mirror.get(&format!("/v2/hello/blobs/{}", right()), &credentials).await;
    assert_eq!(answer.status(), 503);
    assert!(matches!(credentials.failure(), Some(MirrorError::Broken(_))));
}

#[tokio::test]
async fn the_port_is_kept_and_replaced_only_when_it_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let first = listen(dir.path(), None).await.unwrap();
    let address = first.local_addr().unwrap();
    assert!(address.ip().is_loopback());
    drop(first);
    let second = listen(dir.path(), None).await.unwrap();
    assert_eq!(second.local_addr().unwrap(), address);
    let third = listen(dir.path(), None).await.unwrap();
    assert_ne!(third.local_addr().unwrap(), address);
    let taken = listen(dir.path(), Some(address)).await.unwrap_err();
    assert!(taken.to_string().contains("BERTH_AGENT_MIRROR_LISTEN"), "{taken}");
}

#[test]
fn a_path_asks_for_content_by_digest_or_for_nothing() {
    let digest = right();
    assert_eq!(asked("/v2/"), Some(MirrorRequest::Base));
    assert_eq!(asked(&format!("/v2/a/b/c/blobs/{digest}")), Some(MirrorRequest::Content(digest)));
    for path in [
        "/v3/".to_owned(),
        format!("/v2/blobs/{digest}"),
        format!("/v2/../link/blobs/{digest}"),
        format!("/v2/A/blobs/{digest}"),
        format!("/v2/a/referrers/{digest}"),
        "/v2/a/manifests/latest".to_owned(),
        "/v2/a/blobs/sha256:0".to_owned(),
    ] {
        assert_eq!(asked(&path), None, "{path}");
    }
}
