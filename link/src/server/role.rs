//! What the server does for one role and not for the other.

use std::sync::Arc;

use model::view::View;
use model::{InstanceId, RouterId};
use tokio::sync::{mpsc, watch};

use super::recorder::PeerInput;
use super::sessions::SessionHandle;
use super::shared::Shared;
use crate::certificate::PeerId;
use crate::message::{Agent, AgentReport, Peer, Router, RouterReport, StreamRequest};

/// A role as the server serves it.
pub(super) trait Role: Peer<View: View<Of = Self::Id>> {
    /// The id of such a peer.
    type Id: Copy + Into<PeerId> + Send + Sync;

    /// Takes a report of such a peer.
    fn report(
        shared: &Shared,
        session: &SessionHandle,
        id: Self::Id,
        report: Self::Report,
        input: &watch::Sender<PeerInput>,
    );

    /// Begins to pass the server's requests for bytes to such a peer.
    fn attach(shared: &Shared, id: Self::Id) -> mpsc::Receiver<StreamRequest>;

    /// Ends that, unless the peer is connected anew.
    fn detach(shared: &Shared, id: Self::Id);
}

impl Role for Agent {
    type Id = InstanceId;

    fn report(
        shared: &Shared,
        session: &SessionHandle,
        id: InstanceId,
        report: AgentReport,
        input: &watch::Sender<PeerInput>,
    ) {
        shared.measured(session, id, &report);
        input.send_modify(|input| input.report = Some(Arc::new(report)));
    }

    fn attach(shared: &Shared, id: InstanceId) -> mpsc::Receiver<StreamRequest> {
        shared.streams.attach(id)
    }

    fn detach(shared: &Shared, id: InstanceId) {
        shared.streams.detach(id);
    }
}

impl Role for Router {
    type Id = RouterId;

    fn report(
        shared: &Shared,
        session: &SessionHandle,
        id: RouterId,
        report: RouterReport,
        _: &watch::Sender<PeerInput>,
    ) {
        shared.reported(session, id, report);
    }

    /// Nothing is ever asked of a router.
    fn attach(_: &Shared, _: RouterId) -> mpsc::Receiver<StreamRequest> {
        mpsc::channel(1).1
    }

    fn detach(_: &Shared, _: RouterId) {}
}
