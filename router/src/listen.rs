//! Accepts connections. There is no pingora `Server`: with an accept loop of its own, the router's shutdown takes as long as
//! the requests in flight and no longer.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use pingora_core::server::configuration::ServerConf;
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::generation::{Closing, Grace};
use crate::lean::Lean;
use crate::proxy::Proxy;

mod connection;
mod guarded_stream;
mod head;

use connection::Server;
use guarded_stream::{GuardedStream, Slot};

/// How long requests may still end by themselves once this router closes. A relieved one is in nobody's way, and has as
/// long as a target that is deregistered has by default.
const DRAIN: Grace = Grace { ended: Duration::from_secs(12), relieved: Duration::from_secs(30) };
/// How many idle connections to targets are kept.
const POOL: usize = 1_024;
/// How often a request may be sent to a target, all causes together.
const MAX_ATTEMPTS: usize = 16;
/// The most connections at a time, however many files may be open.
const MAX_CONNECTIONS: u64 = 50_000;
/// How many connections of the backlog are still served when shutdown begins: Linux's default limit of a backlog.
const MAX_BACKLOG: usize = 4_096;
/// How many file descriptors are reserved for other uses than connections.
const OTHER_FILES: u64 = 128;

/// Where clients come in.
pub(crate) struct Entrance {
    /// What they connect to.
    pub(crate) listener: TcpListener,
    /// Whether plain HTTP/1.1 takes the short path.
    pub(crate) lean: bool,
    /// The proxies before it whose word on clients counts.
    pub(crate) trusted: Arc<[IpNet]>,
}

/// Accepts and serves until it closes, then lets what is in flight end.
pub(crate) async fn serve(entrance: Entrance, proxy: Proxy, closing: Closing) {
    let Entrance { listener, lean: is_lean, .. } = entrance;
    if let Err(error) = prepare(&listener) {
        tracing::warn!(%error, "clients that vanish are noticed late");
    }
    let conf = ServerConf {
        upstream_keepalive_pool_size: POOL,
        max_retries: MAX_ATTEMPTS,
        ..ServerConf::default()
    };
    let (begun, watch) = watch::channel(false);
    let lean = Arc::new(Lean::new(proxy.clone()));
    let app = Arc::new(pingora_proxy::http_proxy(&Arc::new(conf), proxy));
    let (short, closes) = (Arc::clone(&lean), closing.clone());
    let server = Arc::new(Server { lean: short, is_lean, app, watch, closing: closes });
    let permits = Arc::new(Semaphore::new(connection_limit()));
    let connections = TaskTracker::new();
    let accept = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            let Some((tcp, client)) = accepted(listener.accept().await).await else { continue };
            let slot = Slot { _permit: Some(permit), _token: connections.token() };
            tokio::spawn(Arc::clone(&server).serve(GuardedStream::new(tcp, client, slot)));
        }
    };
    tokio::select! {
        biased;
        () = closing.begun.cancelled() => {}
        () = accept => {}
        never = lean.sweep() => never,
    }
    begun.send_replace(true);
    // Connections in the kernel's backlog have been acknowledged to their clients, so they are served; the bound keeps a
    // flood of new ones from delaying shutdown.
    for _ in 0..MAX_BACKLOG {
        let Some(Ok((tcp, client))) = waiting(&listener).await else { break };
        let slot = Slot { _permit: None, _token: connections.token() };
        tokio::spawn(Arc::clone(&server).serve(GuardedStream::new(tcp, client, slot)));
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => {}
        () = closing.after(DRAIN) => {
            tracing::warn!("{} connections are cut off by the end of this router", connections.len());
        }
    }
}

/// The next connection of the backlog; None where it is empty.
async fn waiting(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    tokio::select! {
        biased;
        next = listener.accept() => Some(next),
        () = std::future::ready(()) => None,
    }
}

/// An accepted connection; None where the client has already closed it, or after a pause where none can be accepted now.
async fn accepted(outcome: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match outcome {
        Ok(accepted) => Some(accepted),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset
            ) =>
        {
            None
        }
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}

/// Disables Nagle's algorithm and enables keepalive, which detects a vanished client in two minutes. Linux hands both on to what
/// is accepted, so they are set once and not for each connection.
fn prepare(listener: &TcpListener) -> io::Result<()> {
    sockopt::set_tcp_nodelay(listener, true)?;
    sockopt::set_socket_keepalive(listener, true)?;
    sockopt::set_tcp_keepidle(listener, Duration::from_mins(1))?;
    sockopt::set_tcp_keepintvl(listener, Duration::from_secs(15))?;
    Ok(sockopt::set_tcp_keepcnt(listener, 4)?)
}

/// How many connections may be open at a time: each may need a second descriptor for a target.
fn connection_limit() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let limit = (files.saturating_sub(OTHER_FILES) / 2).clamp(16, MAX_CONNECTIONS);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_has_no_delay_and_notices_a_client_that_vanishes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        prepare(&listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(accepted.nodelay().unwrap() && sockopt::socket_keepalive(&accepted).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), Duration::from_mins(1));
        assert_eq!(sockopt::tcp_keepcnt(&accepted).unwrap(), 4);
    }
}
