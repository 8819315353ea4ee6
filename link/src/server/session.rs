//! One peer's stream. Three loops run side by side, so that a slow commit holds up no beat and a large view no report:
//! one reads what comes up, one writes what goes down, one records the peer's input.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::WebSocket;
use futures_util::{SinkExt as _, StreamExt as _};
use model::chain;
use tokio::sync::watch;
use tokio::time::timeout;

use super::address;
use super::clean;
use super::close::CloseReason;
use super::frames::{Sink, Source, next, send};
use super::reader::read_loop;
use super::recorder::{self, PeerInput};
use super::role::Role;
use super::shared::Shared;
use super::writer::write_loop;
use crate::certificate::PeerId;
use crate::message::{Down, Hello, OLDEST, SEND_TIMEOUT, Up, VERSION};
use crate::refusal::Refused;

/// How long a peer has to take the reason for which its stream is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a peer until its stream ends.
pub(super) async fn run<R: Role>(
    shared: Arc<Shared>,
    id: R::Id,
    source_address: IpAddr,
    socket: WebSocket,
) {
    let peer = id.into();
    let (mut sink, mut source) = socket.split();
    let (protocol, hello) = match timeout(SEND_TIMEOUT, greeting::<R>(&mut source)).await {
        Ok(Ok(greeting)) => greeting,
        Ok(Err(reason)) => return close(&shared, peer, &mut sink, &reason).await,
        Err(_) => return close(&shared, peer, &mut sink, &CloseReason::Silent).await,
    };
    let checked = address::check(&shared.state.borrow(), peer, &hello, source_address);
    if let Err(refused) = checked {
        return close(&shared, peer, &mut sink, &refused.into()).await;
    }
    let session = shared.sessions.open(peer);
    shared.heard(&session);
    if let Some(before) = shared.seldom_of_peers.tell("connected", peer) {
        tracing::info!(peer = %peer, protocol, "`{}` is connected as `{peer}`{before}", hello.name);
    }
    let (input, heard) = watch::channel(PeerInput { hello, report: None });
    let requests = R::attach(&shared, id);
    let reason = tokio::select! {
        reason = read_loop::<R>(&shared, &session, id, &mut source, &input) => reason,
        reason = write_loop::<R>(&shared, id, protocol, &mut sink, requests) => reason,
        reason = recorder::record(&shared, peer, source_address, heard) => reason,
        () = session.replaced.cancelled() => CloseReason::Replaced,
        () = shared.shutdown.cancelled() => CloseReason::Stopped,
    };
    shared.gone(&session);
    R::detach(&shared, id);
    close(&shared, peer, &mut sink, &reason).await;
}

/// The first frame: the greeting, and the protocol that both use.
async fn greeting<R: Role>(source: &mut Source) -> Result<(u32, Hello), CloseReason> {
    match next::<R::Report>(source).await? {
        Up::Hello { protocol, newest, hello } => {
            Ok((negotiate(protocol, newest)?, clean::hello(*hello)))
        }
        Up::Report(_) | Up::Beat => Err(CloseReason::GreetingMissing),
    }
}

/// The newest protocol that both support. A peer of version 1 names one; a later one the oldest and the newest.
fn negotiate(oldest: u32, newest: Option<u32>) -> Result<u32, CloseReason> {
    let newest = newest.unwrap_or(oldest);
    if newest < OLDEST {
        return Err(CloseReason::ProtocolTooOld { newest });
    }
    if oldest > VERSION {
        return Err(CloseReason::ProtocolTooNew { oldest });
    }
    Ok(newest.min(VERSION))
}

/// Closes the stream, with the reason where it is one for the peer.
async fn close(shared: &Shared, peer: PeerId, sink: &mut Sink, reason: &CloseReason) {
    if let Some(before) = shared.seldom_of_peers.tell("ended", peer) {
        let why = chain(reason);
        tracing::info!(peer = %peer, "the stream of `{peer}` ended: {why}{before}");
    }
    let Some(code) = reason.code() else { return };
    let refused = Refused { code, reason: chain(reason) };
    let closing = async {
        send(sink, &Down::Refused(refused)).await?;
        sink.close().await.map_err(CloseReason::Broken)
    };
    if let Ok(Err(error)) = timeout(CLOSE_TIMEOUT, closing).await {
        tracing::debug!(%error, "`{peer}` was gone before the stream was closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_use_the_newest_protocol_that_they_share_and_a_refusal_says_which_side_is_too_old() {
        assert_eq!(negotiate(1, None).unwrap(), 1, "a peer of the version before");
        assert_eq!(negotiate(OLDEST, Some(VERSION)).unwrap(), VERSION);
        assert_eq!(negotiate(OLDEST, Some(VERSION + 5)).unwrap(), VERSION);
        let code = |oldest, newest| negotiate(oldest, newest).unwrap_err().code().unwrap();
        assert_eq!(code(VERSION + 1, Some(VERSION + 2)), crate::RefusalCode::ProtocolTooNew);
        assert_eq!(code(0, None), crate::RefusalCode::ProtocolTooOld);
    }
}
