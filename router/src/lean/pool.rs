//! Connections to targets that wait for their next request.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::deadline;
use crate::target::Endpoint;

/// How long one stays: less than the 5 s for which common servers keep theirs by default, so that they rarely close it at
/// the moment of its reuse.
const LONGEST: Duration = Duration::from_secs(4);
/// Connections to one target at most.
const MOST_PER_TARGET: usize = 256;

/// Which target a connection is to: its address, and what tells it from others that had or will have the same one.
type Key = (u64, SocketAddr);

/// The connections that wait.
#[derive(Debug, Default)]
pub(super) struct Pool(Mutex<HashMap<Key, Vec<Waiting>>>);

#[derive(Debug)]
struct Waiting {
    tcp: TcpStream,
    since: Instant,
}

/// A connection to a target.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) tcp: TcpStream,
    key: Key,
    /// Whether it has carried other requests.
    pub(super) is_reused: bool,
}

impl Pool {
    /// A connection that waits, or a new one.
    pub(super) async fn connect(&self, endpoint: Endpoint, pool: u64) -> io::Result<Connection> {
        let key = (pool, endpoint.address);
        if let Some(tcp) = self.take(key) {
            return Ok(Connection { tcp, key, is_reused: true });
        }
        let opening = TcpStream::connect(endpoint.address);
        let tcp = timeout(endpoint.connect_timeout, opening)
            .await
            .map_err(|_elapsed| io::Error::from(ErrorKind::TimedOut))??;
        tcp.set_nodelay(true)?;
        Ok(Connection { tcp, key, is_reused: false })
    }

    fn take(&self, key: Key) -> Option<TcpStream> {
        let now = deadline::now();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.get_mut(&key)?;
        while let Some(Waiting { tcp, since }) = waiting.pop() {
            // One that has something to read was closed, or says what nobody has asked for.
            let is_quiet = matches!(tcp.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
            if now - since < LONGEST && is_quiet {
                return Some(tcp);
            }
        }
        None
    }

    /// Keeps a connection for the next request.
    pub(super) fn keep(&self, connection: Connection) {
        let Connection { tcp, key, .. } = connection;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.entry(key).or_default();
        if waiting.len() < MOST_PER_TARGET {
            waiting.push(Waiting { tcp, since: deadline::now() });
        }
    }

    /// Closes those that have waited for too long, for as long as it is awaited.
    pub(super) async fn sweep(&self) -> ! {
        loop {
            tokio::time::sleep(LONGEST / 2).await;
            let now = deadline::now();
            let mut over = Vec::new();
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|_, waiting| {
                let fresh = waiting.partition_point(|one| now - one.since >= LONGEST);
                over.extend(waiting.drain(..fresh));
                !waiting.is_empty()
            });
            drop(all);
        }
    }
}
