//! Accepts connections. There is no pingora `Server`: the loop, its limits and its end are ours, so that a shutdown takes as
//! long as the requests in flight and no longer.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora_core::server::configuration::ServerConf;
use rustix::net::sockopt;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::proxy::Proxy;

mod connection;
mod gate;
mod head;

use connection::Server;
pub(crate) use connection::TUNNEL;
use gate::Gate;

/// How long after the begin of shutdown requests may end.
const DRAIN: Duration = Duration::from_secs(12);
/// How many idle connections to targets are kept.
const POOL: usize = 1_024;
/// How often a request may be sent to a target, all causes together.
const MOST_ATTEMPTS: usize = 16;
/// The most connections at a time, however many files may be open.
const MOST_CONNECTIONS: u64 = 50_000;
/// How many connections that wait to be accepted are still served when shutdown begins: as many as kernels let wait.
const MOST_WAITING: usize = 4_096;
/// How many open files are not for connections.
const OTHER_FILES: u64 = 128;

/// Accepts and serves until shutdown, then lets what is in flight end.
pub(crate) async fn serve(listener: TcpListener, proxy: Proxy, closing: CancellationToken) {
    let conf = ServerConf {
        upstream_keepalive_pool_size: POOL,
        max_retries: MOST_ATTEMPTS,
        ..ServerConf::default()
    };
    let (begun, watch) = watch::channel(false);
    let app = Arc::new(pingora_proxy::http_proxy(&Arc::new(conf), proxy));
    let server = Server { app, watch, closing: closing.clone() };
    let places = Arc::new(Semaphore::new(places()));
    let connections = TaskTracker::new();
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Some((tcp, client)) = accepted(listener.accept().await).await else { continue };
            let server = server.clone();
            connections.spawn(async move {
                server.serve(Gate::new(tcp, client)).await;
                drop(place);
            });
        }
    };
    tokio::select! {
        biased;
        () = closing.cancelled() => {}
        () = accept => {}
    }
    begun.send_replace(true);
    // Whoever has connected is not turned away because nobody came to the door in time; but whoever comes without end is.
    for _ in 0..MOST_WAITING {
        let Some(Ok((tcp, client))) = waiting(&listener).await else { break };
        prepare(&tcp);
        connections.spawn(server.clone().serve(Gate::new(tcp, client)));
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        tracing::warn!("{} connections are cut off by the end of this router", connections.len());
    }
}

/// A connection that waits to be accepted; None where there is none.
async fn waiting(listener: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    tokio::select! {
        biased;
        next = listener.accept() => Some(next),
        () = std::future::ready(()) => None,
    }
}

/// A connection that was accepted; None where it is gone already, or after a pause where none can be accepted now.
async fn accepted(outcome: io::Result<(TcpStream, SocketAddr)>) -> Option<(TcpStream, SocketAddr)> {
    match outcome {
        Ok((tcp, client)) => {
            prepare(&tcp);
            Some((tcp, client))
        }
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

/// Sends at once, and notices in minutes that a client has vanished. A connection that refuses either is served all the same.
fn prepare(tcp: &TcpStream) {
    let set = tcp.set_nodelay(true).and_then(|()| {
        sockopt::set_socket_keepalive(tcp, true)?;
        sockopt::set_tcp_keepidle(tcp, Duration::from_mins(1))?;
        sockopt::set_tcp_keepintvl(tcp, Duration::from_secs(15))?;
        Ok(sockopt::set_tcp_keepcnt(tcp, 4)?)
    });
    if let Err(error) = set {
        tracing::trace!(%error, "a client was gone first");
    }
}

/// How many connections there may be at a time: each may need another one to a target.
fn places() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let places = (files.saturating_sub(OTHER_FILES) / 2).clamp(16, MOST_CONNECTIONS);
    usize::try_from(places).unwrap_or(usize::MAX)
}
