//! How a process of a role takes over from the one before it while that still works, and hands over to the next one.
//!
//! ```text
//! next process                         this process
//!   retire ---- control socket ------->  `relieved`: takes no new work
//!          <--- line ------------------  `let_go`: the role's lock is free
//!   takes the lock, works                lets what is in flight end
//!          <--- end of the connection -  has ended
//! ```

use std::io::{self, BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio_util::sync::CancellationToken;

/// Ends the process before this one early, where this one is to end.
const END: &str = "end\n";

/// What is answered once the role's place is free.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LetGo {
    let_go: bool,
}

/// How a process stands to the ones before and after it.
#[derive(Debug, Clone, Default)]
pub struct Succession {
    /// The process before it has ended, or there was none.
    pub alone: CancellationToken,
    /// The next process takes over.
    pub relieved: CancellationToken,
    /// Everything that only one process may have is let go. Set by the role's work.
    pub let_go: CancellationToken,
    lock: Arc<Mutex<Option<disk::Lock>>>,
}

impl Succession {
    /// Holds the role's place until it is let go.
    pub(crate) fn hold(&self, lock: disk::Lock) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    }

    /// Hands over to the process that asks on this connection, which then stays open until this one has ended.
    pub(crate) async fn hand_over(
        self,
        mut stream: tokio::net::UnixStream,
        shutdown: CancellationToken,
    ) {
        tracing::info!("another process takes over");
        self.relieved.cancel();
        self.let_go.cancelled().await;
        drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
        let line = serde_json::to_string(&LetGo { let_go: true });
        let line = line.expect("a flag can always be written as JSON") + "\n";
        if let Err(error) = stream.write_all(line.as_bytes()).await {
            tracing::debug!(%error, "the next process has ended already");
        }
        let mut asked = String::new();
        let read = tokio::io::BufReader::new(&mut stream).read_line(&mut asked).await;
        if read.is_ok() && asked == END {
            shutdown.cancel();
        }
        // Its end is the end of this process.
        std::future::pending::<()>().await;
    }

    /// Follows the process before this one until it has ended, which it is asked to do early where this one ends.
    pub(crate) async fn follow(&self, before: Option<UnixStream>, shutdown: &CancellationToken) {
        if let Some(before) = before
            && let Err(error) = until_ended(before, shutdown).await
        {
            tracing::debug!(%error, "the process before this one has ended");
        }
        self.alone.cancel();
    }
}

async fn until_ended(before: UnixStream, shutdown: &CancellationToken) -> io::Result<()> {
    before.set_nonblocking(true)?;
    let mut before = tokio::net::UnixStream::from_std(before)?;
    let (read, mut write) = before.split();
    let mut line = String::new();
    let mut read = tokio::io::BufReader::new(read);
    let ended = read.read_line(&mut line);
    tokio::pin!(ended);
    tokio::select! {
        ended = &mut ended => return ended.map(drop),
        () = shutdown.cancelled() => write.write_all(END.as_bytes()).await?,
    }
    ended.await.map(drop)
}

/// Waits until the process at the other end of this connection has let go.
pub(crate) fn wait_until_let_go(stream: &UnixStream) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: LetGo = serde_json::from_str(&line)?;
    if answer.let_go { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that holds the lock of this directory, and the connection of the next one to it.
    fn handing_over(dir: &std::path::Path) -> (Succession, CancellationToken, UnixStream) {
        let succession = Succession::default();
        succession.hold(disk::Lock::acquire(&dir.join("lock")).unwrap().unwrap());
        let shutdown = CancellationToken::new();
        let (next, stream) = UnixStream::pair().unwrap();
        stream.set_nonblocking(true).unwrap();
        let stream = tokio::net::UnixStream::from_std(stream).unwrap();
        tokio::spawn(succession.clone().hand_over(stream, shutdown.clone()));
        (succession, shutdown, next)
    }

    #[tokio::test]
    async fn the_next_process_has_the_place_once_this_one_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let (succession, _shutdown, next) = handing_over(dir.path());
        succession.relieved.cancelled().await;
        let waiting = tokio::task::spawn_blocking(move || {
            wait_until_let_go(&next).unwrap();
            next
        });
        let lock = dir.path().join("lock");
        assert!(disk::Lock::acquire(&lock).unwrap().is_none(), "it is still held");
        succession.let_go.cancel();
        let _next = waiting.await.unwrap();
        assert!(disk::Lock::acquire(&lock).unwrap().is_some());
    }

    #[tokio::test]
    async fn the_next_process_ends_the_one_before_with_itself_and_sees_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (before, before_ends, next) = handing_over(dir.path());
        before.let_go.cancel();
        let next = tokio::task::spawn_blocking(move || {
            wait_until_let_go(&next).unwrap();
            next
        });
        let (after, ends) = (Succession::default(), CancellationToken::new());
        let (follower, followed) = (after.clone(), ends.clone());
        let next = next.await.unwrap();
        let following = tokio::spawn(async move { follower.follow(Some(next), &followed).await });
        assert!(!after.alone.is_cancelled());
        ends.cancel();
        before_ends.cancelled().await;
        following.abort();
    }

    #[tokio::test]
    async fn a_process_without_one_before_it_or_whose_one_has_ended_is_alone() {
        let succession = Succession::default();
        succession.follow(None, &CancellationToken::new()).await;
        assert!(succession.alone.is_cancelled());
        let (here, there) = UnixStream::pair().unwrap();
        drop(there);
        let succession = Succession::default();
        succession.follow(Some(here), &CancellationToken::new()).await;
        assert!(succession.alone.is_cancelled());
    }

    #[test]
    fn an_answer_of_a_version_that_hands_nothing_over_is_an_error() {
        let (here, mut there) = UnixStream::pair().unwrap();
        io::Write::write_all(&mut there, b"{\"error\":\"what?\"}\n").unwrap();
        assert!(wait_until_let_go(&here).is_err());
    }
}
