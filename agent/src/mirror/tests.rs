//! The mirror against a registry that may lie.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use reqwest::Method;
use sha2::{Digest as _, Sha256, Sha512};

use super::serve::{Asked, asked};
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

struct Stage {
    mirror: Arc<Mirror>,
    client: reqwest::Client,
    log: Log,
    stop: CancellationToken,
}

impl Stage {
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

    fn request(&self, method: Method, path: &str, ticket: &Ticket) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.mirror.address);
        let request = self.client.request(method, url).header("range", "bytes=3-");
        request.basic_auth(ticket.user(), Some(ticket.secret()))
    }

    async fn ask(&self, method: Method, path: &str, ticket: &Ticket) -> reqwest::Response {
        self.request(method, path, ticket).send().await.unwrap()
    }

    async fn get(&self, path: &str, ticket: &Ticket) -> reqwest::Response {
        self.ask(Method::GET, path, ticket).await
    }
}

impl Drop for Stage {
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
    let stage = Stage::new().await;
    let ticket = stage.mirror.ticket();
    let sha512 = Digest::Sha512(Sha512::digest(CONTENT).into());
    for path in [
        format!("/v2/team/hello/blobs/{}", right()),
        format!("/v2/hello/manifests/{}", right()),
        format!("/v2/streamed/blobs/{}", right()),
        format!("/v2/hello/blobs/{sha512}"),
    ] {
        let answer = stage.get(&path, &ticket).await;
        assert_eq!(answer.status(), 200, "a range is answered with the whole");
        assert_eq!(answer.bytes().await.unwrap(), CONTENT);
        assert_eq!(stage.asked(), [format!("GET {path}")]);
    }
    let path = format!("/v2/hello/blobs/{}", right());
    let head = stage.ask(Method::HEAD, &path, &ticket).await;
    assert_eq!(head.headers()["content-length"], CONTENT.len().to_string().as_str());
    assert_eq!(head.headers()["content-type"], "application/x");
    assert_eq!(ticket.trouble(), None);
}

#[tokio::test]
async fn bytes_that_do_not_hash_to_their_digest_are_cut_and_the_pull_is_told() {
    let stage = Stage::new().await;
    for repository in ["hello", "streamed"] {
        let ticket = stage.mirror.ticket();
        let path = format!("/v2/{repository}/blobs/{}", wrong());
        let reading =
            async { stage.request(Method::GET, &path, &ticket).send().await?.bytes().await };
        reading.await.expect_err("it does not end well");
        assert!(matches!(ticket.trouble(), Some(PullTrouble::Corrupt(_))), "{repository}");
    }
}

#[tokio::test]
async fn without_the_secret_that_only_docker_gets_nothing_is_asked_for() {
    let stage = Stage::new().await;
    let path = format!("/v2/hello/blobs/{}", right());
    let url = format!("http://{}{path}", stage.mirror.address);
    let anonymous = stage.client.get(&url).send().await.unwrap();
    assert_eq!(anonymous.status(), 401);
    assert_eq!(anonymous.headers()["www-authenticate"], "Basic realm=\"berth\"");
    let ticket = stage.mirror.ticket();
    let (user, secret) = (ticket.user().to_owned(), ticket.secret().to_owned());
    for (name, password) in [(user.as_str(), "guess"), (&user, ""), (&secret, &user)] {
        let request = stage.client.get(&url).basic_auth(name, Some(password));
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    assert!(stage.asked().is_empty());
}

#[tokio::test]
async fn nothing_but_reading_by_digest_reaches_the_registry() {
    let stage = Stage::new().await;
    let ticket = stage.mirror.ticket();
    let path = format!("/v2/hello/blobs/{}", right());
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(stage.ask(method, &path, &ticket).await.status(), 405);
    }
    for path in ["/v2/_catalog", "/v2/hello/tags/list", "/v2/hello/manifests/latest", "/", "/join"]
    {
        assert_eq!(stage.get(path, &ticket).await.status(), 404, "{path}");
    }
    assert_eq!(stage.get("/v2/", &ticket).await.status(), 200);
    assert!(stage.asked().is_empty());
}

#[tokio::test]
async fn each_pull_is_told_what_stood_in_its_way() {
    let stage = Stage::new().await;
    let fine = stage.mirror.ticket();
    for (repository, status, expected) in [
        ("missing", 404, PullTrouble::Missing),
        ("denied", 403, PullTrouble::Denied),
        ("broken", 503, PullTrouble::Away("it answers 502 Bad Gateway".to_owned())),
    ] {
        let ticket = stage.mirror.ticket();
        let answer = stage.get(&format!("/v2/{repository}/blobs/{}", right()), &ticket).await;
        assert_eq!(answer.status(), status);
        assert_eq!(ticket.trouble(), Some(expected));
    }
    assert_eq!(fine.trouble(), None, "another pull is not concerned");
}

#[tokio::test]
async fn a_server_that_is_away_is_no_missing_image() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let stage = Stage::before(format!("http://{free}"), Log::default()).await;
    let ticket = stage.mirror.ticket();
    let answer = stage.get(&format!("/v2/hello/blobs/{}", right()), &ticket).await;
    assert_eq!(answer.status(), 503);
    assert!(matches!(ticket.trouble(), Some(PullTrouble::Away(_))));
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
    assert_eq!(asked("/v2/"), Some(Asked::Base));
    assert_eq!(asked(&format!("/v2/a/b/c/blobs/{digest}")), Some(Asked::Content(digest)));
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
