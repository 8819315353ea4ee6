//! One peer's stream. Three loops run side by side, so that a slow commit holds up no beat and a large view no report:
//! one takes what comes up, one sends what goes down, one records what was said.

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
use super::seats::Seat;
use super::{Shared, SubmitError};
use crate::certificate::PeerId;
use crate::message::{
    AgentReport, BEATS_MISSED, Down, Hello, RouterReport, SEND_TIMEOUT, StreamRequest, Up, VERSION,
};
use crate::snapshot;

/// The oldest protocol that is still spoken.
const OLDEST: u32 = if VERSION > 1 { VERSION - 1 } else { 1 };
/// Changes that come close together make one view; the larger the view, the more of them.
const GATHER: Duration = Duration::from_millis(10);
/// How soon what could not be recorded is tried again, and how often all is looked through anyway.
const RETRY: Duration = Duration::from_millis(500);
const REVIEW: Duration = Duration::from_secs(30);
/// How many different complaints about a peer are remembered, so that each is logged once.
const COMPLAINTS: usize = 1000;

/// How a stream ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the peer is gone")]
    Gone,
    #[error("the stream broke")]
    Broken(#[source] axum::Error),
    #[error("the peer was silent for too long")]
    Silent,
    #[error("the peer sent a frame that cannot be read")]
    Frame(#[source] serde_json::Error),
    #[error("the peer is back on another connection")]
    Replaced,
    #[error("the server stops")]
    Stopped,
    #[error("{0}")]
    Refused(String),
}

/// What goes up, whoever sends it.
enum Frame {
    Hello(u32, Box<Hello>),
    Agent(AgentReport),
    Router(RouterReport),
    Beat,
}

/// The last that the peer has said.
struct Said {
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
    let hello = match timeout(SEND_TIMEOUT, greeted(peer, &mut stream)).await {
        Ok(Ok(hello)) => hello,
        Ok(Err(end)) => return part(peer, &mut sink, &end).await,
        Err(_) => return part(peer, &mut sink, &End::Silent).await,
    };
    let seat = shared.seats.take(peer);
    shared.heard(&seat);
    tracing::info!(peer = %peer, "`{}` is on the line as `{peer}`", hello.name);
    let (said, heard) = watch::channel(Said { hello, report: None });
    let (requests, instance) = match peer {
        PeerId::Instance(id) => (shared.streams.attach(id), Some(id)),
        PeerId::Router(_) => (mpsc::channel(1).1, None),
    };
    let end = tokio::select! {
        end = listen(&shared, &seat, &mut stream, &said) => end,
        end = speak(&shared, peer, &mut sink, requests) => end,
        () = record(&shared, peer, heard) => End::Stopped,
        () = seat.replaced.cancelled() => End::Replaced,
        () = shared.shutdown.cancelled() => End::Stopped,
    };
    shared.gone(&seat);
    if let Some(id) = instance {
        shared.streams.detach(id);
    }
    part(peer, &mut sink, &end).await;
}

/// The first frame: who speaks, in a protocol that is spoken here.
async fn greeted(peer: PeerId, stream: &mut SplitStream<WebSocket>) -> Result<Hello, End> {
    match next(peer, stream).await? {
        Frame::Hello(protocol, hello) if (OLDEST..=VERSION).contains(&protocol) => Ok(*hello),
        Frame::Hello(protocol, _) => Err(End::Refused(format!(
            "the server speaks protocol {OLDEST} to {VERSION} and this peer {protocol}: upgrade the older of the two"
        ))),
        Frame::Agent(_) | Frame::Router(_) | Frame::Beat => {
            Err(End::Refused("a stream begins with a greeting".to_owned()))
        }
    }
}

/// Says goodbye, with the reason where there is one for the peer.
async fn part(peer: PeerId, sink: &mut Sink, end: &End) {
    tracing::info!(peer = %peer, "the stream of `{peer}` ended: {}", chain(end));
    let reason = match end {
        End::Gone | End::Broken(_) | End::Silent => return,
        End::Frame(_) | End::Replaced | End::Stopped | End::Refused(_) => chain(end),
    };
    let goodbye = async {
        send(sink, &Down::Refused { reason }).await?;
        sink.close().await.map_err(End::Broken)
    };
    if let Ok(Err(error)) = timeout(Duration::from_secs(1), goodbye).await {
        tracing::debug!(%error, "`{peer}` did not wait for the goodbye");
    }
}

/// Takes what comes up.
async fn listen(
    shared: &Shared,
    seat: &Seat,
    stream: &mut SplitStream<WebSocket>,
    said: &watch::Sender<Said>,
) -> End {
    let mut ticks = interval(shared.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        let frame = tokio::select! {
            biased;
            frame = next(seat.peer, stream) => frame,
            _ = ticks.tick() => {
                missed += 1;
                if missed > BEATS_MISSED {
                    return End::Silent;
                }
                continue;
            }
        };
        missed = 0;
        match frame {
            Ok(Frame::Hello(_, hello)) => said.send_modify(|said| said.hello = *hello),
            Ok(Frame::Agent(report)) => {
                said.send_modify(|said| said.report = Some(Arc::new(report)));
            }
            Ok(Frame::Router(report)) => {
                if let PeerId::Router(id) = seat.peer {
                    shared.reported(seat, id, report);
                }
            }
            Ok(Frame::Beat) => {}
            Err(end) => return end,
        }
        shared.heard(seat);
    }
}

/// Sends what goes down.
async fn speak(
    shared: &Shared,
    peer: PeerId,
    sink: &mut Sink,
    mut requests: mpsc::Receiver<StreamRequest>,
) -> End {
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
    let mut shown = Shown::default();
    loop {
        let spoken = tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) => {
                    let now = state.borrow_and_update().clone();
                    let spoken = show(shared, peer, now, sink, &mut shown).await;
                    tokio::time::sleep(GATHER * shown.parts.max(1)).await;
                    spoken
                }
                Err(_) => return End::Stopped,
            },
            _ = ticks.tick() => {
                let revision = shown.at.as_ref().map(State::revision);
                send(sink, &Down::Beat { epoch: shared.epoch, revision }).await
            }
            Some(request) = requests.recv() => send(sink, &Down::Stream(request)).await,
        };
        if let Err(end) = spoken {
            return end;
        }
    }
}

/// What this stream has shown to its peer.
#[derive(Default)]
struct Shown {
    /// The last view that was sent.
    view: Option<View>,
    /// In how many parts.
    parts: u32,
    /// The last state at which it held. Keeping it keeps its rows where they are, see [`places`].
    at: Option<State>,
}

/// Sends the peer's view if it is another than the last; notes up to which state the last one holds.
async fn show(
    shared: &Shared,
    peer: PeerId,
    state: State,
    sink: &mut Sink,
    shown: &mut Shown,
) -> Result<(), End> {
    if !is_registered(&state, peer) {
        return Err(End::Refused(EnrolError::Removed(peer).to_string()));
    }
    let view = match peer {
        PeerId::Instance(id) => {
            let before = shown.at.as_ref().map(|before| places(before, id));
            if before.is_some_and(|before| before == places(&state, id)) {
                shown.at = Some(state);
                return Ok(());
            }
            state.agent_view(id).map(View::Agent)
        }
        PeerId::Router(_) => Some(View::Router(state.router_view())),
    };
    let Some(view) = view else { return Ok(()) };
    if shown.view.as_ref() != Some(&view) {
        let text = serde_json::to_string(&view).map_err(End::Frame)?;
        shown.parts = 0;
        for part in snapshot::split(shared.epoch, state.revision(), &text) {
            send(sink, &Down::Part(part)).await?;
            shown.parts += 1;
        }
        shown.view = Some(view);
    }
    shown.at = Some(state);
    Ok(())
}

/// Where in memory the rows lie that an agent's view is made of. States share what they agree in, so in two that are both
/// kept, the same places hold the same rows: most changes elsewhere cost an agent's stream no more than this look.
fn places(state: &State, id: InstanceId) -> Vec<usize> {
    let instance = state.instance(id).map(|row| std::ptr::from_ref(row).addr());
    let tasks = state.tasks_on(id).map(|row| std::ptr::from_ref(row).addr());
    instance.into_iter().chain(tasks).collect()
}

/// Records what the peer says, for as long as it is awaited. What cannot be recorded now is tried again, since the peer
/// will not repeat it.
#[expect(clippy::infinite_loop, reason = "it ends when its stream does")]
async fn record(shared: &Shared, peer: PeerId, mut heard: watch::Receiver<Said>) {
    let mut complaints = HashSet::new();
    loop {
        let (hello, report) = {
            let said = heard.borrow_and_update();
            (said.hello.clone(), said.report.clone())
        };
        let state = shared.state.borrow().clone();
        let now = shared.clock.now();
        let proposal = record::propose(&state, peer, &hello, report.as_deref(), now);
        complain(peer, &proposal, report.as_deref(), &mut complaints);
        let mut done = settle_subnet(shared, peer, &hello, &mut complaints).await;
        for batch in proposal.batches {
            done &= submit(shared, peer, batch, &mut complaints).await;
        }
        let wait = if done { REVIEW } else { RETRY };
        match timeout(wait, heard.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => std::future::pending().await,
        }
    }
}

/// Gives an instance a subnet if it needs one; says whether that is done.
async fn settle_subnet(
    shared: &Shared,
    peer: PeerId,
    hello: &Hello,
    complaints: &mut HashSet<String>,
) -> bool {
    let (PeerId::Instance(instance), Some(host)) = (peer, &hello.host) else { return true };
    let state = shared.state.borrow().clone();
    let Some(subnet) = shared.subnets.choose(&state, instance, &host.used_subnets).await else {
        return true;
    };
    submit(shared, peer, vec![InstanceChange::AssignSubnet { instance, subnet }.into()], complaints)
        .await
}

/// Commits a batch; says whether nothing is left to try again. One Change that is refused does not take the others with
/// it.
async fn submit(
    shared: &Shared,
    peer: PeerId,
    batch: Vec<Change>,
    complaints: &mut HashSet<String>,
) -> bool {
    let mut pending = vec![batch];
    while let Some(batch) = pending.pop() {
        match (shared.submit)(batch.clone()).await {
            Ok(()) => {}
            Err(SubmitError::Refused(refusal)) if batch.len() == 1 => {
                complain_once(peer, &refusal, complaints);
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

fn complain(
    peer: PeerId,
    proposal: &Proposal,
    report: Option<&AgentReport>,
    complaints: &mut HashSet<String>,
) {
    for refusal in &proposal.refused {
        complain_once(peer, refusal, complaints);
    }
    for task in report.into_iter().flat_map(|report| &report.unknown) {
        let unknown = UnknownTask(*task);
        complain_once(peer, &unknown, complaints);
    }
}

#[derive(Debug, thiserror::Error)]
#[error("task `{0}` has containers there and is not known; they are left alone")]
struct UnknownTask(TaskId);

fn complain_once(peer: PeerId, complaint: &dyn std::error::Error, said: &mut HashSet<String>) {
    if said.len() >= COMPLAINTS {
        said.clear();
    }
    if said.insert(complaint.to_string()) {
        tracing::warn!(peer = %peer, "`{peer}` reports: {complaint}");
    }
}

async fn send(sink: &mut Sink, frame: &Down) -> Result<(), End> {
    let text = serde_json::to_string(frame).map_err(End::Frame)?;
    match timeout(SEND_TIMEOUT, sink.send(Message::Text(text.into()))).await {
        Ok(sent) => sent.map_err(End::Broken),
        Err(_) => Err(End::Silent),
    }
}

async fn next(peer: PeerId, stream: &mut SplitStream<WebSocket>) -> Result<Frame, End> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => return decode(peer, &text).map_err(End::Frame),
            Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Err(error)) => return Err(End::Broken(error)),
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
