//! The end of agents and routers: joins once, then holds a stream to the server for as long as it runs.
//!
//! The role sees only the latest of everything: the newest view, whether it is connected, the last report that it made.
//! What was lost with a connection is made good by the next one, so a role needs no code for reconnecting.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Clock, InstanceId, PeerRole};
use rustls::client::ResolvesClientCert;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::certificate::PeerId;
use crate::message::{Hello, Peer, Stamped, StreamRequest};
use crate::tls;
use crate::token::JoinTokenText;

mod channel;
mod dial;
mod error;
mod exchange;
mod identity;

use channel::Channels;
use dial::Dialler;
pub use error::ClientError;
use identity::Identity;

/// How many stream requests may wait for the role.
const STREAM_REQUESTS: usize = 16;

/// The instance that has joined from an agent's directory; None where none has.
pub fn instance_in(dir: &Path) -> Result<Option<InstanceId>, ClientError> {
    let identity = Identity::load(dir, PeerRole::Agent)?;
    Ok(identity.and_then(|identity| match identity.peer() {
        PeerId::Instance(id) => Some(id),
        PeerId::Router(_) => None,
    }))
}

/// Where the server is, and how to become known to it.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// The role's own directory: its identity is kept there.
    pub dir: PathBuf,
    /// The server's link address as `HOST:PORT`.
    pub server: String,
    /// What to join with while there is no identity.
    pub join_token: Option<String>,
}

/// A role's end of the stream.
#[derive(Debug)]
pub struct Session<P: Peer> {
    /// Its id as the server knows it: of the instance or the router.
    pub id: String,
    /// The newest view; None until the first has come. The stamp may advance while the view stays.
    pub view: watch::Receiver<Option<Stamped<P::View>>>,
    /// All that the role sees. Only the last value counts; nothing is sent before the first one is.
    pub report: watch::Sender<P::Report>,
    /// Whether the stream to the server is open.
    pub connected: watch::Receiver<bool>,
    /// Requests of the server for bytes on connections of their own.
    pub streams: mpsc::Receiver<StreamRequest>,
    /// For connections of their own.
    pub http: Http,
}

/// Requests to the server's link listener, proven by the role's certificate.
#[derive(Debug, Clone)]
pub struct Http {
    /// Trusts this installation's server alone.
    pub client: reqwest::Client,
    /// `https://HOST:PORT`, without a slash at its end.
    pub base: String,
}

/// Whether a role has an identity in its directory: it needs no join token then.
pub fn has_joined(dir: &Path) -> bool {
    dir.join(identity::FILE).exists()
}

/// Starts a role's end. Joins first if there is no identity, waiting a while for a server that is not up yet; with an
/// identity it returns at once, whether the server is there or not. A task goes on until `shutdown`.
pub async fn start<P: Peer>(
    config: ClientConfig,
    hello: watch::Receiver<Hello>,
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
) -> Result<Session<P>, ClientError> {
    let token = config.join_token.as_deref().map(str::trim).filter(|text| !text.is_empty());
    let token: Option<JoinTokenText> =
        token.map(str::parse).transpose().map_err(ClientError::Token)?;
    let known = Identity::load(&config.dir, P::ROLE)?;
    let identity = match (known, token) {
        (Some(identity), Some(token)) if identity.fingerprint() != token.fingerprint => {
            let file = config.dir.join(identity::FILE);
            return Err(ClientError::OtherInstallation { file });
        }
        (Some(identity), _) => identity,
        (None, Some(token)) => {
            let greeting = hello.borrow().clone();
            let joining =
                exchange::join(&config.dir, &config.server, P::ROLE, &token, greeting, &clock);
            tokio::select! {
                joined = joining => joined?,
                () = shutdown.cancelled() => return Err(ClientError::Stopped),
            }
        }
        (None, None) => return Err(ClientError::NotJoined { dir: config.dir }),
    };
    let set_up = |error: rustls::Error| ClientError::Tls(error.into());
    let identity = Arc::new(identity);
    let resolver: Arc<dyn ResolvesClientCert> = Arc::clone(identity.resolver()) as _;
    let proven =
        tls::client(identity.authority(), Some(resolver), Arc::clone(&clock)).map_err(set_up)?;
    let unproven = tls::client(identity.authority(), None, Arc::clone(&clock)).map_err(set_up)?;
    let http =
        Http { client: http_client(proven.clone())?, base: format!("https://{}", config.server) };
    let (view, view_end) = watch::channel(None);
    let (report_end, report) = watch::channel(P::Report::default());
    let (connected, connected_end) = watch::channel(false);
    let (streams, streams_end) = mpsc::channel(STREAM_REQUESTS);
    let id = identity.peer().id();
    let span = tracing::info_span!("link", peer = %identity.peer());
    let dialler = Dialler {
        server: config.server,
        identity,
        proven: Arc::new(proven),
        unproven: Arc::new(unproven),
        clock,
        shutdown,
    };
    let channels = Channels::<P>::new(view, report, connected, streams, hello);
    tokio::spawn(dialler.run(channels).instrument(span));
    Ok(Session {
        id,
        view: view_end,
        report: report_end,
        connected: connected_end,
        streams: streams_end,
        http,
    })
}

/// Environment proxies are for the outside; the link is not there.
fn http_client(tls: rustls::ClientConfig) -> Result<reqwest::Client, ClientError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(exchange::CONNECT_TIMEOUT)
        .pool_idle_timeout(std::time::Duration::from_secs(30))
        .build()
        .map_err(|error| ClientError::Tls(error.into()))
}
