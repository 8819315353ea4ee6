//! Dials the server until shutdown: connects, greets, reads and writes; after each disconnect it waits a little longer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use model::view::from_text;
use model::{Backoff, Clock, Epoch, chain};
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use super::channel::{Channels, Downlink, Uplink};
use super::error::ClientError;
use super::exchange::{self, CONNECT_TIMEOUT};
use super::identity::Identity;
use crate::message::{
    BEATS_MISSED, DOWN_FRAME_BYTES, Down, Hello, OLDEST, Peer, SEND_TIMEOUT, Stamped, Up, VERSION,
};
use crate::refusal::Refused;
use crate::sentence::{self, Plain, plain};
use crate::snapshot::{AssembledView, Assembly};
use crate::v1::Version1 as _;

/// Between two connections: short, since containers and routers wait for a server that restarts in a second or two.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
/// After a connection that lasted this long, the next one is tried without a longer wait.
const LASTING: Duration = Duration::from_secs(10);
/// How often a held connection looks whether its certificate should be renewed.
const RENEWAL_TICK: Duration = Duration::from_mins(10);

type Socket = WebSocketStream<TlsStream<TcpStream>>;

/// Dials one server for one role.
pub(super) struct Dialler {
    pub(super) server: String,
    pub(super) identity: Arc<Identity>,
    pub(super) proven: Arc<rustls::ClientConfig>,
    pub(super) unproven: Arc<rustls::ClientConfig>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shutdown: CancellationToken,
}

/// How a connection ended.
#[derive(Debug, thiserror::Error)]
enum Disconnect {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{}", plain(Plain::StreamBroke))]
    Broken(#[source] tungstenite::Error),
    #[error("{}", plain(Plain::ServerClosed))]
    Closed,
    #[error("{}", plain(Plain::ServerSilent))]
    Silent,
    #[error("{}", sentence::refused(&.0.reason))]
    Refused(Refused),
    #[error("{}", plain(Plain::ServerFrameUnreadable))]
    Frame(#[source] serde_json::Error),
    #[error("{}", sentence::frame_unexpected(.0))]
    Unexpected(&'static str),
    #[error("{}", plain(Plain::Stopped))]
    Stopped,
}

impl Dialler {
    /// Goes on until shutdown.
    pub(super) async fn run<P: Peer>(self, mut channels: Channels<P>) {
        let mut backoff = BACKOFF;
        let mut logged = String::new();
        loop {
            let began = self.clock.now();
            let end = tokio::select! {
                end = self.connection(&mut channels) => end,
                () = self.shutdown.cancelled() => Disconnect::Stopped,
            };
            let was_connected = channels.connected.send_replace(false);
            if matches!(end, Disconnect::Stopped) {
                return;
            }
            self.log(&end, &mut logged, was_connected);
            if was_connected && self.clock.now().since(began) >= LASTING {
                backoff.reset();
            }
            if is_expired(&end) {
                self.renew().await;
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.fail(rand::random())) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    /// Logs why a connection ended; the same reason again only at debug level.
    fn log(&self, end: &Disconnect, logged: &mut String, was_connected: bool) {
        let reason = chain(end);
        if *logged == reason && !was_connected {
            tracing::debug!("no link to the server at `{}`: {reason}", self.server);
        } else {
            tracing::warn!("no link to the server at `{}`: {reason}", self.server);
            *logged = reason;
        }
    }

    /// One connection from beginning to end.
    async fn connection<P: Peer>(&self, channels: &mut Channels<P>) -> Disconnect {
        if self.clock.now() >= self.identity.renew_at(1.0) {
            self.renew().await;
        }
        match self.open(channels).await {
            Ok((socket, beat)) => self.hold(socket, beat, channels).await,
            Err(end) => end,
        }
    }

    /// Connects and greets; returns the socket and the interval of beats.
    async fn open<P: Peer>(
        &self,
        channels: &mut Channels<P>,
    ) -> Result<(Socket, Duration), Disconnect> {
        let stream = exchange::connect(&self.server, Arc::clone(&self.proven)).await?;
        let url = format!("ws://{}{}", crate::tls::SERVER_NAME, crate::message::STREAM_PATH);
        let limits = WebSocketConfig::default()
            .max_message_size(Some(DOWN_FRAME_BYTES))
            .max_frame_size(Some(DOWN_FRAME_BYTES));
        let handshake = tokio_tungstenite::client_async_with_config(url, stream, Some(limits));
        let (mut socket, _) = match timeout(CONNECT_TIMEOUT, handshake).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(tungstenite::Error::Http(answer))) => {
                return Err(Disconnect::Refused(refusal(&answer)));
            }
            Ok(Err(error)) => return Err(Disconnect::Broken(error)),
            Err(_) => return Err(Disconnect::Silent),
        };
        let hello = channels.up.hello.borrow_and_update().clone();
        send(&mut socket, &greeting::<P>(hello)).await?;
        match timeout(SEND_TIMEOUT, next(&mut socket)).await {
            Ok(answer) => match answer? {
                Down::Welcome { epoch, beat_millis, .. } => {
                    self.welcomed(epoch);
                    Ok((socket, Duration::from_millis(beat_millis.clamp(10, 60_000))))
                }
                Down::Refused(refused) => Err(Disconnect::Refused(refused)),
                Down::Part(_) => Err(Disconnect::Unexpected("part")),
                Down::Rows(_) => Err(Disconnect::Unexpected("rows")),
                Down::Beat { .. } => Err(Disconnect::Unexpected("beat")),
                Down::Stream(_) => Err(Disconnect::Unexpected("stream")),
            },
            Err(_) => Err(Disconnect::Silent),
        }
    }

    fn welcomed(&self, epoch: Epoch) {
        tracing::info!(%epoch, "linked to the server at `{}`", self.server);
    }

    /// Reads, writes and renews until one of them ends.
    async fn hold<P: Peer>(
        &self,
        socket: Socket,
        beat: Duration,
        channels: &mut Channels<P>,
    ) -> Disconnect {
        channels.connected.send_replace(true);
        channels.down.begin();
        let (mut sink, mut stream) = socket.split();
        tokio::select! {
            end = read_loop(&mut stream, beat, &mut channels.down) => end,
            end = write_loop(&mut sink, beat, &mut channels.up) => end,
            () = self.keep_renewed() => Disconnect::Stopped,
        }
    }

    /// Renews in time, for as long as it is awaited.
    #[expect(clippy::infinite_loop, reason = "it ends when its connection does")]
    async fn keep_renewed(&self) {
        let random = rand::random::<f64>();
        loop {
            tokio::time::sleep(RENEWAL_TICK).await;
            if self.clock.now() >= self.identity.renew_at(random) {
                self.renew().await;
            }
        }
    }

    async fn renew(&self) {
        let unproven = Arc::clone(&self.unproven);
        match exchange::renew(&self.server, unproven, &self.identity).await {
            Ok(()) => tracing::info!("renewed the certificate of `{}`", self.identity.peer()),
            Err(error) => {
                tracing::warn!(
                    "cannot renew the certificate of `{}`: {}",
                    self.identity.peer(),
                    chain(&error)
                );
            }
        }
    }
}

/// Reads what comes down.
async fn read_loop<P: Peer>(
    stream: &mut SplitStream<Socket>,
    beat: Duration,
    down: &mut Downlink<P>,
) -> Disconnect {
    let mut ticks = interval(beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    let (mut documents, mut rows) = (Assembly::default(), Assembly::default());
    loop {
        let frame = tokio::select! {
            biased;
            frame = next(stream) => frame,
            _ = ticks.tick() => {
                missed += 1;
                if missed > BEATS_MISSED {
                    return Disconnect::Silent;
                }
                continue;
            }
        };
        missed = 0;
        match frame {
            Ok(Down::Part(part)) => {
                if let Some(view) = documents.push(part) {
                    let document = serde_json::from_str(&view.text);
                    take_view(down, &view, document.map(P::View::from_document));
                }
            }
            Ok(Down::Rows(part)) => {
                if let Some(view) = rows.push(part) {
                    take_view(down, &view, from_text(&view.text));
                }
            }
            Ok(Down::Beat { epoch, revision }) => {
                if let Some(revision) = revision {
                    down.advance(epoch, revision);
                }
            }
            Ok(Down::Stream(request)) => down.request(request),
            Ok(Down::Refused(refused)) => return Disconnect::Refused(refused),
            Ok(Down::Welcome { .. }) => return Disconnect::Unexpected("welcome"),
            Err(end) => return end,
        }
    }
}

/// Hands a view to the role, unless it cannot be read.
fn take_view<P: Peer>(
    down: &mut Downlink<P>,
    came: &AssembledView,
    view: Result<P::View, serde_json::Error>,
) {
    let (epoch, revision) = (came.epoch, came.revision);
    match view {
        Ok(view) => down.take(Stamped { epoch, revision, view }),
        Err(error) => {
            tracing::error!(%error, "the view of revision {revision} cannot be read");
            down.skip();
        }
    }
}

/// The greeting: the peer's own facts, and the versions of the protocol that it supports.
fn greeting<P: Peer>(hello: Hello) -> Up<P::Report> {
    Up::Hello { protocol: OLDEST, newest: Some(VERSION), hello: Box::new(hello) }
}

/// Writes what goes up.
async fn write_loop<P: Peer>(
    sink: &mut SplitSink<Socket, Message>,
    beat: Duration,
    up: &mut Uplink<P>,
) -> Disconnect {
    let mut ticks = interval(beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut frame = up.first_report().map(Up::Report);
    loop {
        if let Some(frame) = frame.take()
            && let Err(end) = send(sink, &frame).await
        {
            return end;
        }
        let next = tokio::select! {
            hello = Uplink::<P>::next_hello(&mut up.hello) => {
                greeting::<P>(hello)
            }
            report = Uplink::<P>::next_report(&mut up.report) => Up::Report(report),
            _ = ticks.tick() => Up::Beat,
        };
        if matches!(next, Up::Report(_)) {
            up.note_reported();
        }
        frame = Some(next);
    }
}

async fn send<S, R: Serialize>(sink: &mut S, frame: &Up<R>) -> Result<(), Disconnect>
where
    S: futures_util::Sink<Message, Error = tungstenite::Error> + Unpin,
{
    let text = serde_json::to_string(frame).map_err(Disconnect::Frame)?;
    match timeout(SEND_TIMEOUT, sink.send(Message::text(text))).await {
        Ok(sent) => sent.map_err(Disconnect::Broken),
        Err(_) => Err(Disconnect::Silent),
    }
}

async fn next<S>(stream: &mut S) -> Result<Down, Disconnect>
where
    S: futures_util::Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
{
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(Disconnect::Frame);
            }
            Some(Ok(Message::Close(_))) | None => return Err(Disconnect::Closed),
            Some(Ok(
                Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_),
            )) => {}
            Some(Err(error)) => return Err(Disconnect::Broken(error)),
        }
    }
}

/// The reason in an HTTP response other than an upgrade.
fn refusal(answer: &http::Response<Option<Vec<u8>>>) -> Refused {
    exchange::read_refusal(answer.status(), answer.body().as_deref().unwrap_or_default())
}

/// Whether the server found the certificate too old: by its clock, which may differ from ours.
fn is_expired(end: &Disconnect) -> bool {
    matches!(
        exchange::rustls_error(end),
        Some(rustls::Error::AlertReceived(
            rustls::AlertDescription::CertificateExpired
                | rustls::AlertDescription::BadCertificate
                | rustls::AlertDescription::CertificateUnknown
        ))
    )
}
