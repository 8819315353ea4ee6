//! The server's end: lets peers join, sends each what it should see, and turns what they report into Changes and
//! observations.
//!
//! It decides nothing. It reads State through a watch and changes it only through [`Submit`], so a peer that repeats
//! itself commits nothing, and a peer can report nothing about what is not its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use listener::{Limits, Listener, Seldom};
use model::{Clock, Epoch, Observed, State};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authority::{Authority, AuthorityError};
use crate::sentence::{Plain, plain};
use crate::tls;

mod accept;
mod address;
mod clean;
mod close;
mod enrol;
mod frames;
mod presence;
mod proposal;
mod reader;
mod recorder;
mod role;
mod routes;
mod session;
mod sessions;
mod shared;
mod streams;
mod submit;
mod subnet;
mod writer;

use accept::Tls;
use shared::Shared;
pub use streams::{StreamError, Streams};
pub use submit::{Submit, SubmitError};

/// The interval of beats either way, unless it is set otherwise. Three missed beats end a connection, which
/// is less than it takes for a lease to become suspect.
pub const BEAT: Duration = Duration::from_secs(3);

/// What strangers and peers may take of the link. Many hosts may have one address, behind a NAT.
const LIMITS: Limits = Limits { connections: 4_096, per_address: 2_048, ..Limits::DEFAULT };

/// Why the link cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The authority gives no certificate.
    #[error("{}", plain(Plain::NoServerCertificate))]
    Authority(#[source] AuthorityError),
    /// TLS cannot be set up.
    #[error("{}", plain(Plain::CannotSetUpLinkTls))]
    Tls(#[source] rustls::Error),
}

/// The server's end of all streams.
pub struct Server {
    /// Issues and checks the certificates of peers.
    pub authority: Authority,
    /// The epoch of this start of the server.
    pub epoch: Epoch,
    /// What is.
    pub state: watch::Receiver<State>,
    /// What is observed; the link writes it.
    pub observed: watch::Sender<Observed>,
    /// Where Changes go.
    pub submit: Submit,
    /// Everything else that peers may ask for, under the same listener. Its requests carry the peer's
    /// [`model::Principal`] as an extension, and never come from anybody but a registered peer.
    pub mount: Router,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Bytes on connections of their own; clones of it open them, before and while the server runs.
    pub streams: Streams,
    /// The interval of beats either way: [`BEAT`], or less in tests.
    pub beat: Duration,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Server {
    /// Serves peers until shutdown, then closes their streams and waits up to 3 s for requests in progress.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
    ) -> Result<(), ServerError> {
        let key = self.authority.server_key(self.clock.now()).map_err(ServerError::Authority)?;
        let tls = tls::server(self.authority.certificate(), key, Arc::clone(&self.clock))
            .map_err(ServerError::Tls)?;
        let mount = self.mount;
        let shared = Arc::new(Shared {
            authority: self.authority,
            epoch: self.epoch,
            state: self.state,
            observed: self.observed,
            submit: self.submit,
            clock: self.clock,
            streams: self.streams,
            beat: self.beat,
            shutdown: shutdown.clone(),
            tasks: TaskTracker::new(),
            sessions: sessions::Sessions::default(),
            subnets: subnet::SubnetAllocator::default(),
            seldom: Seldom::default(),
            seldom_of_peers: Seldom::default(),
        });
        let listener = Listener {
            name: "link",
            socket: listener,
            app: routes::app(Arc::clone(&shared), mount),
            prepare: Tls::new(tls),
            limits: LIMITS,
        };
        listener.serve(&shared.tasks, &shutdown).await;
        Ok(())
    }
}
