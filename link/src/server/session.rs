//! One peer's stream. Three loops run side by side, so that a slow commit holds up no beat and a large view no report:
//! one reads what comes up, one writes what goes down, one records the peer's input.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use model::{AgentView, Change, InstanceChange, InstanceId, RouterView, State, TaskId, chain};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::enrol::{EnrolError, is_registered};
use super::record::{self, Proposal};
use super::sessions::SessionHandle;
use super::shared::Shared;
use super::submit::SubmitError;
use crate::certificate::PeerId;
use crate::message::{
    AgentReport, BEATS_MISSED, Down, Hello, RouterReport, SEND_TIMEOUT, StreamRequest, Up, VERSION,
};
use crate::refusal::{RefusalCode, Refused};
use crate::snapshot;

/// The oldest protocol that is still supported.
const OLDEST: u32 = if VERSION > 1 { VERSION - 1 } else { 1 };
/// Changes that follow closely share one view: this long after a view, times its number of parts, none is sent.
const GATHER: Duration = Duration::from_millis(10);
/// How soon what could not be recorded is retried, and how often all is compared again anyway.
const RETRY: Duration = Duration::from_millis(500);
const REVIEW: Duration = Duration::from_secs(30);
/// How many different warned about a peer are remembered, so that each is logged once.
const MAX_WARNINGS: usize = 1000;

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
enum CloseReason {
    #[error("the peer is gone")]
    Gone,
    #[error("the stream broke")]
    Broken(#[source] axum::Error),
    #[error("the peer was silent for too long")]
    Silent,
    #[error("the peer sent a frame that cannot be read")]
    Frame(#[source] serde_json::Error),
    #[error("the peer has opened another connection")]
    Replaced,
    #[error("the server stops")]
    Stopped,
    #[error("a stream begins with a greeting")]
    GreetingMissing,
    #[error(
        "the server speaks protocol {OLDEST} to {VERSION} and this peer {0}: upgrade the older of the two"
    )]
    Protocol(u32),
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

impl CloseReason {
    /// What the peer decides on; None where it is not told.
    fn code(&self) -> Option<RefusalCode> {
        match self {
            Self::Gone | Self::Broken(_) | Self::Silent => None,
            Self::Frame(_) => Some(RefusalCode::FrameInvalid),
            Self::Replaced => Some(RefusalCode::Replaced),
            Self::Stopped => Some(RefusalCode::ServerStopping),
            Self::GreetingMissing => Some(RefusalCode::GreetingMissing),
            Self::Protocol(peer) if *peer < OLDEST => Some(RefusalCode::ProtocolTooOld),
            Self::Protocol(_) => Some(RefusalCode::ProtocolTooNew),
            Self::Enrol(error) => Some(error.code()),
        }
    }
}

/// A frame of either role.
enum Frame {
    Hello(u32, Box<Hello>),
    Agent(AgentReport),
    Router(RouterReport),
    Beat,
}

/// The last greeting and report of the peer.
struct PeerInput {
    hello: Hello,
    report: Option<Arc<AgentReport>>,
}

/// What the peer should see.
#[derive(PartialEq, Serialize)]
#[serde(untagged)]
enum View {
    Agent(AgentView),
    Router(RouterView),
}

type Sink = SplitSink<WebSocket, Message>;

/// Serves a peer until its stream ends.
pub(super) async fn run(shared: Arc<Shared>, peer: PeerId, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let hello = match timeout(SEND_TIMEOUT, greeting(peer, &mut stream)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(end)) => return close(peer, &mut sink, &end).await,
        Err(_) => return close(peer, &mut sink, &CloseReason::Silent).await,
    };
    let session = shared.sessions.open(peer);
    shared.heard(&session);
    tracing::info!(peer = %peer, "`{}` is connected as `{peer}`", hello.name);
    let (input, heard) = watch::channel(PeerInput { hello, report: None });
    let (requests, instance) = match peer {
        PeerId::Instance(id) => (shared.streams.attach(id), Some(id)),
        PeerId::Router(_) => (mpsc::channel(1).1, None),
    };
    let end = tokio::select! {
        end = read_loop(&shared, &session, &mut stream, &input) => end,
        end = write_loop(&shared, peer, &mut sink, requests) => end,
        () = record(&shared, peer, heard) => CloseReason::Stopped,
        () = session.replaced.cancelled() => CloseReason::Replaced,
        () = shared.shutdown.cancelled() => CloseReason::Stopped,
    };
    shared.gone(&session);
    if let Some(id) = instance {
        shared.streams.detach(id);
    }
    close(peer, &mut sink, &end).await;
}

/// The first frame: the greeting, in a protocol that is supported.
async fn greeting(peer: PeerId, stream: &mut SplitStream<WebSocket>) -> Result<Hello, CloseReason> {
    match next(peer, stream).await? {
        Frame::Hello(protocol, hello) if (OLDEST..=VERSION).contains(&protocol) => Ok(*hello),
        Frame::Hello(protocol, _) => Err(CloseReason::Protocol(protocol)),
        Frame::Agent(_) | Frame::Router(_) | Frame::Beat => Err(CloseReason::GreetingMissing),
    }
}

/// Closes the stream, with the reason where it is one for the peer.
async fn close(peer: PeerId, sink: &mut Sink, reason: &CloseReason) {
    tracing::info!(peer = %peer, "the stream of `{peer}` ended: {}", chain(reason));
    let Some(code) = reason.code() else { return };
    let refused = Refused { code, reason: chain(reason) };
    let closing = async {
        send(sink, &Down::Refused(refused)).await?;
        sink.close().await.map_err(CloseReason::Broken)
    };
    if let Ok(Err(error)) = timeout(Duration::from_secs(1), closing).await {
        tracing::debug!(%error, "`{peer}` was gone before the stream was closed");
    }
}

/// Reads what comes up.
async fn read_loop(
    shared: &Shared,
    session: &SessionHandle,
    stream: &mut SplitStream<WebSocket>,
    input: &watch::Sender<PeerInput>,
) -> CloseReason {
    let mut ticks = interval(shared.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        let frame = tokio::select! {
            biased;
            frame = next(session.peer, stream) => frame,
            _ = ticks.tick() => {
                missed += 1;
                if missed > BEATS_MISSED {
                    return CloseReason::Silent;
                }
                continue;
            }
        };
        missed = 0;
        match frame {
            Ok(Frame::Hello(_, hello)) => input.send_modify(|input| input.hello = *hello),
            Ok(Frame::Agent(report)) => {
                input.send_modify(|input| input.report = Some(Arc::new(report)));
            }
            Ok(Frame::Router(report)) => {
                if let PeerId::Router(id) = session.peer {
                    shared.reported(session, id, report);
                }
            }
            Ok(Frame::Beat) => {}
            Err(end) => return end,
        }
        shared.heard(session);
    }
}

/// Writes what goes down.
async fn write_loop(
    shared: &Shared,
    peer: PeerId,
    sink: &mut Sink,
    mut requests: mpsc::Receiver<StreamRequest>,
) -> CloseReason {
    let welcome = Down::Welcome {
        protocol: VERSION,
        epoch: shared.epoch,
        beat_millis: u64::try_from(shared.beat.as_millis()).unwrap_or(u64::MAX),
    };
    if let Err(end) = send(sink, &welcome).await {
        return end;
    }
    let mut state = shared.state.clone();
    state.mark_changed();
    let mut ticks = interval(shared.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = SentView::default();
    loop {
        let written = tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) => {
                    let now = state.borrow_and_update().clone();
                    let written = send_view(shared, peer, now, sink, &mut sent).await;
                    tokio::time::sleep(GATHER * sent.parts.max(1)).await;
                    written
                }
                Err(_) => return CloseReason::Stopped,
            },
            _ = ticks.tick() => {
                let revision = sent.at.as_ref().map(State::revision);
                send(sink, &Down::Beat { epoch: shared.epoch, revision }).await
            }
            Some(request) = requests.recv() => send(sink, &Down::Stream(request)).await,
        };
        if let Err(end) = written {
            return end;
        }
    }
}

/// The view that this stream has sent.
#[derive(Default)]
struct SentView {
    /// The last view that was sent.
    view: Option<View>,
    /// In how many parts.
    parts: u32,
    /// The last state at which it held. Keeping it keeps its rows where they are, see [`places`].
    at: Option<State>,
}

/// Sends the peer's view if it differs from the last; notes up to which state the last one holds.
async fn send_view(
    shared: &Shared,
    peer: PeerId,
    state: State,
    sink: &mut Sink,
    sent: &mut SentView,
) -> Result<(), CloseReason> {
    if !is_registered(&state, peer) {
        return Err(EnrolError::Removed(peer).into());
    }
    let view = match peer {
        PeerId::Instance(id) => {
            let before = sent.at.as_ref().map(|before| places(before, id));
            if before.is_some_and(|before| before == places(&state, id)) {
                sent.at = Some(state);
                return Ok(());
            }
            state.agent_view(id).map(View::Agent)
        }
        PeerId::Router(_) => Some(View::Router(state.router_view())),
    };
    let Some(view) = view else { return Ok(()) };
    if sent.view.as_ref() != Some(&view) {
        let text = serde_json::to_string(&view).map_err(CloseReason::Frame)?;
        sent.parts = 0;
        for part in snapshot::split(shared.epoch, state.revision(), &text) {
            send(sink, &Down::Part(part)).await?;
            sent.parts += 1;
        }
        sent.view = Some(view);
    }
    sent.at = Some(state);
    Ok(())
}

/// Where in memory the rows lie that an agent's view is made of. States share what they agree in, so in two that are both
/// kept, the same places hold the same rows: most changes elsewhere cost an agent's stream no more than this look.
fn places(state: &State, id: InstanceId) -> Vec<usize> {
    let instance = state.instance(id).map(|row| std::ptr::from_ref(row).addr());
    let tasks = state.tasks_on(id).map(|row| std::ptr::from_ref(row).addr());
    instance.into_iter().chain(tasks).collect()
}

/// Records the peer's input, for as long as it is awaited. What cannot be recorded now is retried, since the peer reports
/// it only once.
#[expect(clippy::infinite_loop, reason = "it ends when its stream does")]
async fn record(shared: &Shared, peer: PeerId, mut heard: watch::Receiver<PeerInput>) {
    let mut warned = HashSet::new();
    loop {
        let (hello, report) = {
            let input = heard.borrow_and_update();
            (input.hello.clone(), input.report.clone())
        };
        let state = shared.state.borrow().clone();
        let now = shared.clock.now();
        let proposal = record::propose(&state, peer, &hello, report.as_deref(), now);
        warn(peer, &proposal, report.as_deref(), &mut warned);
        let mut done = settle_subnet(shared, peer, &hello, &mut warned).await;
        for batch in proposal.batches {
            done &= submit(shared, peer, batch, &mut warned).await;
        }
        let wait = if done { REVIEW } else { RETRY };
        match timeout(wait, heard.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => std::future::pending().await,
        }
    }
}

/// Assigns a subnet to an instance that needs one; returns whether nothing is left to retry.
async fn settle_subnet(
    shared: &Shared,
    peer: PeerId,
    hello: &Hello,
    warned: &mut HashSet<String>,
) -> bool {
    let (PeerId::Instance(instance), Some(host)) = (peer, &hello.host) else { return true };
    let state = shared.state.borrow().clone();
    let Some(subnet) = shared.subnets.choose(&state, instance, &host.used_subnets).await else {
        return true;
    };
    let change = InstanceChange::AssignSubnet { instance, subnet };
    submit(shared, peer, vec![change.into()], warned).await
}

/// Commits a batch; returns whether nothing is left to retry. A Change that is refused does not prevent the others.
async fn submit(
    shared: &Shared,
    peer: PeerId,
    batch: Vec<Change>,
    warned: &mut HashSet<String>,
) -> bool {
    let mut pending = vec![batch];
    while let Some(batch) = pending.pop() {
        match (shared.submit)(batch.clone()).await {
            Ok(()) => {}
            Err(SubmitError::Refused(refusal)) if batch.len() == 1 => {
                warn_once(peer, &refusal, warned);
            }
            Err(SubmitError::Refused(_)) => {
                pending.extend(batch.into_iter().rev().map(|change| vec![change]));
            }
            Err(SubmitError::Unavailable(reason)) => {
                tracing::warn!("cannot record what `{peer}` reports: {reason}");
                return false;
            }
        }
    }
    true
}

fn warn(
    peer: PeerId,
    proposal: &Proposal,
    report: Option<&AgentReport>,
    warned: &mut HashSet<String>,
) {
    for refusal in &proposal.refused {
        warn_once(peer, refusal, warned);
    }
    for task in report.into_iter().flat_map(|report| &report.unknown) {
        let unknown = UnknownTask(*task);
        warn_once(peer, &unknown, warned);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("task `{0}` has containers there and is not known; they are left alone")]
struct UnknownTask(TaskId);

fn warn_once(peer: PeerId, warning: &dyn std::error::Error, warned: &mut HashSet<String>) {
    if warned.len() >= MAX_WARNINGS {
        warned.clear();
    }
    if warned.insert(warning.to_string()) {
        tracing::warn!(peer = %peer, "`{peer}` reports: {warning}");
    }
}

async fn send(sink: &mut Sink, frame: &Down) -> Result<(), CloseReason> {
    let text = serde_json::to_string(frame).map_err(CloseReason::Frame)?;
    match timeout(SEND_TIMEOUT, sink.send(Message::Text(text.into()))).await {
        Ok(sent) => sent.map_err(CloseReason::Broken),
        Err(_) => Err(CloseReason::Silent),
    }
}

async fn next(peer: PeerId, stream: &mut SplitStream<WebSocket>) -> Result<Frame, CloseReason> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                return decode(peer, &text).map_err(CloseReason::Frame);
            }
            Some(Ok(Message::Close(_))) | None => return Err(CloseReason::Gone),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Err(error)) => return Err(CloseReason::Broken(error)),
        }
    }
}

fn decode(peer: PeerId, text: &str) -> Result<Frame, serde_json::Error> {
    Ok(match peer {
        PeerId::Instance(_) => match serde_json::from_str(text)? {
            Up::Hello { protocol, hello } => Frame::Hello(protocol, hello),
            Up::Report(report) => Frame::Agent(report),
            Up::Beat => Frame::Beat,
        },
        PeerId::Router(_) => match serde_json::from_str(text)? {
            Up::Hello { protocol, hello } => Frame::Hello(protocol, hello),
            Up::Report(report) => Frame::Router(report),
            Up::Beat => Frame::Beat,
        },
    })
}
