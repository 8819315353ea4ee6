//! The wiring of a router: its link, and what serves.

use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use link::client::{ClientConfig, ClientError};
use link::message::{Hello, RouterReport, Stamped};
use model::{Clock, RouterView};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::generation::Generation;
use crate::listen::Entrance;
use crate::sentence::start;
use crate::serve::{self, LinkChannels};

/// What a router needs to know.
#[derive(Debug)]
pub struct Config {
    /// Its own directory: identity and table lie there.
    pub dir: PathBuf,
    /// The server's link address as `HOST:PORT`.
    pub server: String,
    /// What to join with while there is no identity.
    pub join_token: Option<String>,
    /// What people call it.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Where clients connect.
    pub listener: std::net::TcpListener,
    /// Whether plain HTTP/1.1 takes the short path, rather than all of it pingora's proxy.
    pub lean: bool,
    /// The proxies before it whose word on clients counts.
    pub trusted_proxies: Vec<IpNet>,
    /// How it stands to the processes before and after it.
    pub generation: Generation,
}

/// Why a router cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its link cannot begin.
    #[error("{}", start::no_link())]
    Link(#[source] ClientError),
    /// The listener cannot be used.
    #[error("{}", start::no_listener())]
    Listener(#[source] std::io::Error),
    /// It is not known which host this is.
    #[error("{}", start::no_host())]
    Host(#[source] std::io::Error),
}

/// Runs a router until it is to end or is relieved: from the table on its disk at once, from the server's as soon as that is
/// there.
///
/// `ready` becomes true once it accepts with a table.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    ready: watch::Sender<bool>,
) -> Result<(), Error> {
    let generation = config.generation;
    let closing = generation.closing();
    let listener = config.listener.set_nonblocking(true).map(|()| config.listener);
    let listener = listener.and_then(TcpListener::from_std).map_err(Error::Listener)?;
    let here = link::host::identity().map_err(Error::Host)?;
    let (views, view) = watch::channel(None);
    let (report, reports) = watch::channel(RouterReport::default());
    let client = ClientConfig {
        dir: config.dir.clone(),
        server: config.server,
        join_token: config.join_token,
    };
    let hello = Hello { name: config.name, version: config.version, host: None };
    let channels = LinkChannels { view, report };
    let entrance = Entrance { listener, lean: config.lean, trusted: config.trusted_proxies.into() };
    let serving =
        serve::run(config.dir, entrance, here, channels, ready, closing.clone(), &generation);
    let linking = async {
        let begun = closing.begun.clone();
        let ended = connect(client, hello, clock, views, reports, begun).await;
        closing.begun.cancel();
        ended
    };
    let ((), linked) = tokio::join!(serving, linking);
    linked
}

/// Holds the link, and passes views and reports on.
async fn connect(
    client: ClientConfig,
    hello: Hello,
    clock: Arc<dyn Clock>,
    views: watch::Sender<Option<Stamped<RouterView>>>,
    mut reports: watch::Receiver<RouterReport>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let (_hello, hello) = watch::channel(hello);
    let started =
        link::client::start::<link::message::Router>(client, hello, clock, shutdown.clone());
    let mut session = match started.await {
        Ok(session) => session,
        Err(ClientError::Stopped) => return Ok(()),
        Err(error) => return Err(Error::Link(error)),
    };
    tracing::info!(router.id = session.id, "this is router `{}`", session.id);
    let down = async {
        while session.view.changed().await.is_ok() {
            views.send_replace(session.view.borrow_and_update().clone());
        }
    };
    let up = async {
        while reports.changed().await.is_ok() {
            session.report.send_replace(reports.borrow_and_update().clone());
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        ((), ()) = async { tokio::join!(down, up) } => shutdown.cancelled().await,
    }
    Ok(())
}
