//! A small server behind the router, which echoes what it got and behaves as a test sets it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::within::within;

/// What it does with a request.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// Answers with its name, the number of the connection, and the request as it came.
    Answer,
    /// Answers so when the semaphore gives a permit.
    Wait(Arc<Semaphore>),
    /// Closes the connection instead.
    Cut,
    /// Closes it when a second request comes over it.
    CutSecond,
    /// Answers half of what it promises, then closes.
    Half,
    /// Answers what is no HTTP.
    Garbage,
    /// Answers in chunks.
    Chunks,
    /// Asks for the body, and answers with that.
    Continue,
    /// Becomes a tunnel that echoes.
    Echo,
    /// Says this as it is, then closes the connection.
    Say(&'static str),
}

/// The server.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<AbortOnDropHandle<()>>,
    listener: Arc<TcpListener>,
}

#[derive(Debug)]
struct Shared {
    name: &'static str,
    act: Mutex<Act>,
    served: AtomicUsize,
    connections: AtomicUsize,
    healthy: watch::Sender<bool>,
    end: CancellationToken,
}

impl Origin {
    /// On a free port.
    pub(super) fn start(name: &'static str, act: Act) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), name, act)
    }

    /// On this address.
    pub(super) fn on(address: SocketAddr, name: &'static str, act: Act) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener = Arc::new(socket.listen(8).unwrap());
        let shared = Arc::new(Shared {
            name,
            act: Mutex::new(act),
            served: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            healthy: watch::Sender::new(true),
            end: CancellationToken::new(),
        });
        let accepting = tokio::spawn(accept(Arc::clone(&listener), Arc::clone(&shared)));
        let accepting = Some(AbortOnDropHandle::new(accepting));
        Self { address: listener.local_addr().unwrap(), shared, accepting, listener }
    }

    /// What it does from now on.
    pub(super) fn act(&self, act: Act) {
        *self.shared.act.lock().unwrap() = act;
    }

    /// Whether it passes its health checks.
    pub(super) fn healthy(&self, healthy: bool) {
        self.shared.healthy.send_replace(healthy);
    }

    /// How many requests it got, health checks aside.
    pub(super) fn served(&self) -> usize {
        self.shared.served.load(Ordering::SeqCst)
    }

    /// Returns when a request has arrived that is no check.
    pub(super) async fn is_asked(&self) {
        within("the request to arrive", async {
            while self.served() == 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Ends it with all its connections; its port refuses from now on.
    pub(super) async fn stop(self) {
        self.shared.end.cancel();
        self.accepting.expect("it accepts").await.unwrap();
    }

    /// Goes silent as a dead host does: connections to it neither open nor are refused.
    pub(super) async fn freeze(&mut self) -> Vec<TcpStream> {
        self.accepting = None;
        self.shared.end.cancel();
        let mut waiting = Vec::new();
        let patience = std::time::Duration::from_millis(200);
        while let Ok(opened) =
            tokio::time::timeout(patience, TcpStream::connect(self.listener.local_addr().unwrap()))
                .await
        {
            waiting.push(opened.unwrap());
        }
        waiting
    }
}

async fn accept(listener: Arc<TcpListener>, shared: Arc<Shared>) {
    loop {
        let (tcp, _) = tokio::select! {
            next = listener.accept() => next.unwrap(),
            () = shared.end.cancelled() => return,
        };
        tcp.set_nodelay(true).unwrap();
        let number = shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            tokio::select! {
                () = serve(tcp, number, &shared) => {}
                () = shared.end.cancelled() => {}
            }
        });
    }
}

async fn serve(mut tcp: TcpStream, number: usize, shared: &Shared) {
    let mut buffer = Vec::new();
    for nth in 0.. {
        let Some(request) = read(&mut tcp, &mut buffer).await else { return };
        if request.starts_with("GET /health ") {
            let status = if *shared.healthy.borrow() { "200 OK" } else { "500 Sick" };
            let text = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            tcp.write_all(text.as_bytes()).await.ok();
            continue;
        }
        shared.served.fetch_add(1, Ordering::SeqCst);
        let act = shared.act.lock().unwrap().clone();
        let text = format!("{}\nconnection {number}\n{request}", shared.name);
        let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        let answer = match act {
            Act::Wait(gate) => {
                gate.acquire().await.unwrap().forget();
                whole
            }
            Act::Cut => return,
            Act::CutSecond if nth > 0 => return,
            Act::Answer | Act::CutSecond => whole,
            Act::Half => {
                tcp.write_all(&whole.as_bytes()[..whole.len() - 10]).await.ok();
                return;
            }
            Act::Garbage => {
                tcp.write_all(b"what?\r\n\r\n").await.ok();
                return;
            }
            Act::Chunks => {
                let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                format!("{head}3\r\nin \r\n6\r\nchunks\r\n0\r\n\r\n")
            }
            Act::Say(text) => {
                tcp.write_all(text.as_bytes()).await.ok();
                return;
            }
            Act::Continue => return ask(tcp).await,
            Act::Echo => return echo(tcp).await,
        };
        if tcp.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn ask(mut tcp: TcpStream) {
    tcp.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.unwrap();
    let mut body = [0; 4];
    tcp.read_exact(&mut body).await.unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
    tcp.write_all(&[&answer[..], &body].concat()).await.unwrap();
}

async fn echo(mut tcp: TcpStream) {
    let answer =
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    tcp.write_all(answer).await.unwrap();
    let mut piece = [0; 1024];
    loop {
        match tcp.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => tcp.write_all(&piece[..count]).await.unwrap(),
        }
    }
}

/// The next request with its body, of a known length or in chunks.
async fn read(tcp: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some(end) = text.find("\r\n\r\n").map(|at| at + 4) {
            let head = text[..end].to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| {
                rest.split("\r\n").next().and_then(|digits| digits.parse::<usize>().ok())
            });
            let whole = if head.contains("expect: 100-continue") {
                Some(end)
            } else if head.contains("transfer-encoding: chunked") {
                text[end..].find("0\r\n\r\n").map(|at| end + at + 5)
            } else {
                Some(end + length.unwrap_or(0))
            };
            if let Some(whole) = whole.filter(|whole| buffer.len() >= *whole) {
                let request = String::from_utf8_lossy(&buffer[..whole]).into_owned();
                buffer.drain(..whole);
                return Some(request);
            }
        }
        if tcp.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
