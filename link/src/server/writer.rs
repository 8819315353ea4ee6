//! Writes what goes down on a peer's stream: its view whenever that has changed, beats, and requests for bytes.

use std::time::Duration;

use model::State;
use model::view::{View as _, to_text};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::close::CloseReason;
use super::enrol::{EnrolError, is_registered};
use super::frames::{Sink, send};
use super::role::Role;
use super::shared::Shared;
use crate::message::{Down, StreamRequest};
use crate::snapshot;
use crate::v1::Version1 as _;

/// Changes that follow closely share one view: this long after a view, times its number of parts, none is sent.
const GATHER: Duration = Duration::from_millis(10);

/// Writes until the stream ends, in this version of the protocol.
pub(super) async fn write_loop<R: Role>(
    shared: &Shared,
    id: R::Id,
    protocol: u32,
    sink: &mut Sink,
    mut requests: mpsc::Receiver<StreamRequest>,
) -> CloseReason {
    let welcome = Down::Welcome {
        protocol,
        epoch: shared.epoch,
        beat_millis: u64::try_from(shared.beat.as_millis()).unwrap_or(u64::MAX),
    };
    if let Err(reason) = send(sink, &welcome).await {
        return reason;
    }
    let mut state = shared.state.clone();
    state.mark_changed();
    let mut ticks = interval(shared.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent = SentView::<R>::new(id, protocol);
    loop {
        let written = tokio::select! {
            changed = state.changed() => match changed {
                Ok(()) => {
                    let now = state.borrow_and_update().clone();
                    let written = sent.update(shared, now, sink).await;
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
        if let Err(reason) = written {
            return reason;
        }
    }
}

/// The view that a stream has sent.
struct SentView<R: Role> {
    id: R::Id,
    protocol: u32,
    /// The last view that was sent.
    view: Option<R::View>,
    /// In how many parts.
    parts: u32,
    /// The last state at which it held. Keeping it keeps its rows where they are, see [`model::view::View::sources`].
    at: Option<State>,
}

impl<R: Role> SentView<R> {
    fn new(id: R::Id, protocol: u32) -> Self {
        Self { id, protocol, view: None, parts: 0, at: None }
    }

    /// Sends the peer's view if it differs from the last; notes up to which state the last one holds.
    async fn update(
        &mut self,
        shared: &Shared,
        state: State,
        sink: &mut Sink,
    ) -> Result<(), CloseReason> {
        let peer = self.id.into();
        if !is_registered(&state, peer) {
            return Err(EnrolError::Removed(peer).into());
        }
        let sources = |state: &State| R::View::sources(state, self.id);
        if self.at.as_ref().is_some_and(|before| sources(before) == sources(&state)) {
            debug_assert_eq!(self.view, Some(R::View::of(&state, self.id)), "a source is missing");
        } else {
            let view = R::View::of(&state, self.id);
            if self.view.as_ref() != Some(&view) {
                self.send(shared, &state, &view, sink).await?;
                self.view = Some(view);
            }
        }
        self.at = Some(state);
        Ok(())
    }

    async fn send(
        &mut self,
        shared: &Shared,
        state: &State,
        view: &R::View,
        sink: &mut Sink,
    ) -> Result<(), CloseReason> {
        let is_version_1 = self.protocol == 1;
        let text = if is_version_1 {
            let Some(document) = view.to_document() else { return Ok(()) };
            serde_json::to_string(&document)
        } else {
            to_text(view, |_| true)
        };
        let text = text.map_err(CloseReason::View)?;
        self.parts = 0;
        for part in snapshot::split(shared.epoch, state.revision(), &text) {
            let frame = if is_version_1 { Down::Part(part) } else { Down::Rows(part) };
            send(sink, &frame).await?;
            self.parts += 1;
        }
        Ok(())
    }
}
