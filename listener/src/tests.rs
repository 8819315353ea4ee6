//! Listeners as strangers meet them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{Limits, Listener, Plain};

const SHORT: Duration = Duration::from_millis(200);

struct Running {
    at: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(limits: Limits) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let app = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/refuse", post(|_: Body| async { (StatusCode::UNAUTHORIZED, "no") }))
            .route("/read", post(|body: Bytes| async move { body.len().to_string() }));
        let stop = CancellationToken::new();
        let listener = Listener { name: "test", socket, app, prepare: Plain, limits };
        let shutdown = stop.clone();
        let serving = tokio::spawn(async move {
            listener.serve(&TaskTracker::new(), &shutdown).await;
        });
        Self { at, stop, serving }
    }

    async fn send(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }

    async fn get(&self) -> String {
        answer(&mut self.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await).await
    }

    async fn end(self) {
        self.stop.cancel();
        self.serving.await.unwrap();
    }
}

/// What comes until the other end closes; nothing where it resets.
async fn answer(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all).await {
        Ok(_) => String::from_utf8(all).unwrap(),
        Err(_) => String::new(),
    }
}

/// The worst client: it reads nothing until it has written all. A connection that is reset meanwhile loses the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_the_body_has_come_arrives() {
    let running = Running::start(Limits::DEFAULT).await;
    for size in [1, 400_000, 8 << 20] {
        for _ in 0..20 {
            let head =
                format!("POST /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n");
            let mut stream = running.send(&head).await;
            stream.write_all(&vec![7; size]).await.expect("nothing is reset");
            let mut text = Vec::new();
            while !text.ends_with(b"no") {
                let read = stream.read_buf(&mut text).await.expect("nothing is reset");
                assert_ne!(read, 0, "the answer ends early: {}", String::from_utf8_lossy(&text));
            }
            assert!(text.starts_with(b"HTTP/1.1 401 "));
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_requests_shut_nobody_out() {
    let limits = Limits { connections: 40, per_address: 20, ..Limits::DEFAULT };
    let running = Running::start(limits).await;
    let mut halves = Vec::new();
    for n in 0..200 {
        halves.push(match n % 3 {
            0 => running.send("").await,
            1 => running.send("GET / HTTP/1.1\r\nHost").await,
            _ => {
                running
                    .send("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf")
                    .await
            }
        });
        if n % 20 == 19 {
            assert!(running.get().await.ends_with("here"), "after {n}");
        }
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_and_a_body_that_do_not_come_end_their_connection() {
    let limits = Limits { head: SHORT, silence: SHORT, ..Limits::DEFAULT };
    let running = Running::start(limits).await;
    for half in ["", "GET / HTT", "GET / HTTP/1.1\r\nHost: a\r\n"] {
        let said = answer(&mut running.send(half).await).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408 "), "{said}");
    }
    let body = "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    let said = answer(&mut running.send(body).await).await;
    assert!(said.starts_with("HTTP/1.1 400 "), "{said}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_under_way_ends_before_the_listener_does() {
    let running = Running::start(Limits::DEFAULT).await;
    let mut stream =
        running.send("POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha").await;
    // Another request shows that this one has begun.
    assert!(running.get().await.ends_with("here"));
    running.stop.cancel();
    stream.write_all(b"lf").await.unwrap();
    let said = answer(&mut stream).await;
    assert!(said.ends_with('4'), "{said}");
    running.serving.await.unwrap();
}
