//! The control socket of a running role: says what it is and whether it is ready, passes on what it listens on, hands over to
//! the next process, and ends this one when asked.
//!
//! A request is one word and a line end; so is the answer, as JSON. The socket lies in the data directory, which is its
//! owner's alone, and is bound and dialled through `/proc/self/fd`, so a long path is no problem.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::RoleError;
use crate::layout::Layout;
use crate::listeners::Listeners;
use crate::role_kind::RoleKind;
use crate::succession::{self, Succession};

/// How long an answer may take: the other side only reads memory.
const ANSWER: Duration = Duration::from_secs(2);
/// How long a role may take to let go of what only one process may have.
const LET_GO: Duration = Duration::from_secs(10);
/// Bytes; no request is longer.
const LONGEST_REQUEST: u64 = 64;

/// What a role says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// Its process.
    pub(crate) pid: i32,
    /// Its version.
    pub(crate) version: String,
    /// SHA-256 of the configuration that it runs with.
    pub(crate) configuration: String,
    /// Whether it does its work.
    pub(crate) ready: bool,
    /// Whether the next process takes over, or has.
    #[serde(default)]
    pub(crate) relieved: bool,
    /// The server that it dials, for an agent or router.
    pub(crate) server: Option<String>,
}

/// The answer to a request to end.
#[derive(Debug, Serialize)]
struct Stopping {}

/// The answer to anything else.
#[derive(Debug, Serialize)]
struct Unknown {
    error: &'static str,
}

/// Offers the socket. What is left of a process that was killed is taken away first; the role's lock is held already.
pub(crate) fn listen(layout: &Layout, role: RoleKind) -> Result<UnixListener, RoleError> {
    let path = layout.run_file(role, "sock");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(RoleError::file(&path)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let bound = short(&path).and_then(|(_dir, short)| UnixListener::bind(short));
    bound.map_err(RoleError::file(&path))
}

/// What is answered from, and acted on.
#[derive(Debug, Clone)]
pub(crate) struct Control {
    pub(crate) status: Status,
    pub(crate) ready: watch::Receiver<bool>,
    pub(crate) listeners: Listeners,
    /// None for a role that hands nothing over while it works.
    pub(crate) succession: Option<Succession>,
    pub(crate) shutdown: CancellationToken,
}

/// Answers until shutdown; a request to stop begins it.
pub(crate) async fn serve(listener: UnixListener, control: Control) {
    loop {
        let accepted = tokio::select! {
            () = control.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => control.answer(stream).await,
            // Out of file descriptors or memory: later there may be some.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

impl Control {
    /// One request at a time: each is a line that its sender has written already, and no one may hold up the others.
    async fn answer(&self, mut stream: tokio::net::UnixStream) {
        let exchange = async {
            let asked = request(&mut stream).await?;
            let answer = match (asked.as_str(), &self.succession) {
                ("status", _) => serde_json::to_string(&self.status())?,
                ("listeners", _) => return self.listeners.pass_on(&stream).await,
                ("retire", Some(succession)) => {
                    tokio::spawn(succession.clone().hand_over(stream, self.shutdown.clone()));
                    return Ok(());
                }
                ("stop", _) => {
                    self.shutdown.cancel();
                    serde_json::to_string(&Stopping {})?
                }
                _ => serde_json::to_string(&Unknown { error: "ask for `status` or `stop`" })?,
            };
            stream.write_all(format!("{answer}\n").as_bytes()).await
        };
        match tokio::time::timeout(ANSWER, exchange).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a control connection broke"),
            Err(_) => tracing::debug!("a control connection was silent"),
        }
    }

    fn status(&self) -> Status {
        let relieved = self.succession.as_ref().is_some_and(|one| one.relieved.is_cancelled());
        let ready = *self.ready.borrow() && !relieved;
        Status { ready, relieved, ..self.status.clone() }
    }
}

async fn request(stream: &mut tokio::net::UnixStream) -> io::Result<String> {
    let mut line = String::new();
    tokio::io::BufReader::new(stream.take(LONGEST_REQUEST)).read_line(&mut line).await?;
    Ok(line.trim().to_owned())
}

/// What the running role says; None when nobody answers.
pub(crate) fn status(layout: &Layout, role: RoleKind) -> Option<Status> {
    let answer = ask(layout, role, "status").ok()?;
    serde_json::from_str(&answer).ok()
}

/// Asks the role to end; an error when nobody answers.
pub(crate) fn stop(layout: &Layout, role: RoleKind) -> io::Result<()> {
    ask(layout, role, "stop").map(drop)
}

/// Takes over what the role listens on; an error when nobody answers, or one that passes nothing on.
pub(crate) fn take_over(layout: &Layout, role: RoleKind, into: &Listeners) -> io::Result<()> {
    into.take_over(&dial(layout, role, "listeners")?)
}

/// Has the role hand over to this process; returns once it has let go, with the connection that ends with it.
pub(crate) fn relieve(layout: &Layout, role: RoleKind) -> io::Result<UnixStream> {
    let stream = dial(layout, role, "retire")?;
    stream.set_read_timeout(Some(LET_GO))?;
    succession::wait_until_let_go(&stream)?;
    Ok(stream)
}

fn ask(layout: &Layout, role: RoleKind, request: &str) -> io::Result<String> {
    let mut answer = String::new();
    BufReader::new(dial(layout, role, request)?).read_line(&mut answer)?;
    Ok(answer)
}

fn dial(layout: &Layout, role: RoleKind, request: &str) -> io::Result<UnixStream> {
    let (_dir, path) = short(&layout.run_file(role, "sock"))?;
    let mut stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    writeln!(stream, "{request}")?;
    Ok(stream)
}

/// A path to the same file that fits a socket address, valid while the directory is open.
fn short(path: &Path) -> io::Result<(File, PathBuf)> {
    let nameless = || io::Error::new(ErrorKind::InvalidInput, "the path names no file");
    let (dir, name) = path.parent().zip(path.file_name()).ok_or_else(nameless)?;
    let dir = File::open(dir)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name);
    Ok((dir, short))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(dir: &Path) -> Layout {
        // Longer than any socket address may be.
        let layout = Layout::new(&dir.join("deep/".repeat(40)));
        layout.create().unwrap();
        layout
    }

    fn a_status() -> Status {
        let text = |text: &str| text.to_owned();
        Status {
            pid: 7,
            version: text("1"),
            configuration: text("abc"),
            ready: false,
            relieved: false,
            server: None,
        }
    }

    fn control(ready: watch::Receiver<bool>, shutdown: &CancellationToken) -> Control {
        let (listeners, shutdown) = (Listeners::default(), shutdown.clone());
        let succession = Some(Succession::default());
        Control { status: a_status(), ready, listeners, succession, shutdown }
    }

    async fn asked<T: Send + 'static>(
        layout: &Layout,
        ask: impl FnOnce(&Layout) -> T + Send + 'static,
    ) -> T {
        let layout = layout.clone();
        tokio::task::spawn_blocking(move || ask(&layout)).await.unwrap()
    }

    #[tokio::test]
    async fn a_role_says_what_it_is_and_ends_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let (ready, watch) = watch::channel(false);
        let shutdown = CancellationToken::new();
        let listener = listen(&layout, RoleKind::Server).unwrap();
        let served = tokio::spawn(serve(listener, control(watch, &shutdown)));

        let asks = |layout: &Layout| status(layout, RoleKind::Server);
        assert_eq!(asked(&layout, asks).await, Some(a_status()));
        ready.send_replace(true);
        assert!(asked(&layout, asks).await.unwrap().ready);
        asked(&layout, |layout| stop(layout, RoleKind::Server)).await.unwrap();
        shutdown.cancelled().await;
        served.await.unwrap();
        assert_eq!(asked(&layout, asks).await, None);
    }

    #[tokio::test]
    async fn a_silent_or_babbling_connection_holds_nobody_up_for_long() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let (_ready, watch) = watch::channel(true);
        let listener = listen(&layout, RoleKind::Agent).unwrap();
        let shutdown = CancellationToken::new();
        let served = tokio::spawn(serve(listener, control(watch, &shutdown)));
        asked(&layout, |layout| {
            let (_dir, path) = short(&layout.run_file(RoleKind::Agent, "sock")).unwrap();
            let mut babbler = UnixStream::connect(path).unwrap();
            babbler.write_all(&[b'x'; 1_000]).unwrap();
        })
        .await;
        let answer = asked(&layout, |layout| status(layout, RoleKind::Agent)).await;
        assert!(answer.unwrap().ready);
        shutdown.cancel();
        served.await.unwrap();
    }

    #[test]
    fn a_socket_that_a_killed_process_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let layout = layout(dir.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _inside = runtime.enter();
        drop(listen(&layout, RoleKind::Router).unwrap());
        assert!(layout.run_file(RoleKind::Router, "sock").exists());
        assert_eq!(status(&layout, RoleKind::Router), None);
        listen(&layout, RoleKind::Router).unwrap();
    }
}
