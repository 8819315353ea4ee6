//! HTTP/1.1 listeners of registry, admin API and link: what a client may take of the server before it has proven who it is.
//!
//! - Connections are limited, in all and per address. At a limit the connection that has waited longest for its client, of
//!   the address that has most, makes room for a new one, so a client that sends halves of requests shuts out itself at most.
//! - A head has a deadline (hyper's), and a body may be silent only so long.
//! - An answer arrives: one that is given before the whole body has come would be lost, since closing a socket with unread
//!   bytes resets the connection (RFC 9112 section 9.6). So the last bytes of a client are read and dropped for a while after
//!   the answer, until it has closed its end.
//! - What a stranger can make the server say in its log is said once per address and minute, with a count.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;

mod admission;
mod connection;
mod limits;
mod lingering;
mod prepare;
mod request_body;
mod response_body;
mod seldom;

#[cfg(test)]
mod tests;

pub use limits::Limits;
pub use prepare::{Plain, Prepare};
pub use seldom::{Seldom, Untold};

/// The pause after a connection could not be accepted, as where file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listener of the control plane.
#[derive(Debug)]
pub struct Listener<P> {
    /// What it is called in the log.
    pub name: &'static str,
    /// Where it listens.
    pub socket: TcpListener,
    /// What it serves. Requests carry the client's address as [`ConnectInfo`].
    pub app: Router,
    /// What comes before HTTP.
    pub prepare: P,
    /// What clients may take.
    pub limits: Limits,
}

impl<P: Prepare> Listener<P> {
    /// Serves until shutdown, then waits a moment for what is under way, in `tasks` too.
    pub async fn serve(self, tasks: &TaskTracker, shutdown: &CancellationToken) {
        let Self { name, socket, app, prepare, limits } = self;
        let admission = Arc::new(Admission::new(name, limits));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((socket, client)) => {
                    let Some(admitted) = admission.admit(client.ip()) else {
                        refuse(&socket);
                        continue;
                    };
                    let served = connection::serve(connection::Connection {
                        socket,
                        client: ConnectInfo::<SocketAddr>(client),
                        app: app.clone(),
                        prepare: prepare.clone(),
                        limits,
                        admitted,
                        shutdown: shutdown.clone(),
                    });
                    tasks.spawn(served);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection on the {name}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(socket);
        tasks.close();
        if timeout(limits.end, tasks.wait()).await.is_err() {
            tracing::info!("left {} connections of the {name} open at the end", tasks.len());
        }
    }
}

/// Tells a client that there is no room, as far as that goes at once. A client that speaks TLS does not understand it, and
/// sees that the connection is closed.
fn refuse(socket: &TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n\
        Content-Length: 0\r\n\r\n";
    match socket.try_write(ANSWER) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
            tracing::trace!(%error, "the client has gone");
        }
        Ok(_) | Err(_) => {}
    }
}
