//! Records what a peer reports: commits as Changes what State does not have yet.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{Change, InstanceChange, TaskId};
use tokio::sync::watch;
use tokio::time::timeout;

use super::address;
use super::close::CloseReason;
use super::proposal::{Proposal, propose};
use super::shared::Shared;
use super::submit::SubmitError;
use crate::certificate::PeerId;
use crate::message::{AgentReport, Hello};
use crate::sentence;

/// How soon what could not be recorded is retried, and how often all is compared again anyway.
const RETRY: Duration = Duration::from_millis(500);
const REVIEW: Duration = Duration::from_secs(30);
/// How many different warnings about a peer are remembered, so that each is logged once.
const MAX_WARNINGS: usize = 1000;

/// The last greeting and report of a peer.
pub(super) struct PeerInput {
    pub(super) hello: Hello,
    pub(super) report: Option<Arc<AgentReport>>,
}

/// Records the peer's input, for as long as it is awaited, or until it advertises an address that is not allowed (any
/// more). What cannot be recorded now is retried, since the peer reports it only once.
pub(super) async fn record(
    shared: &Shared,
    peer: PeerId,
    source_address: IpAddr,
    mut heard: watch::Receiver<PeerInput>,
) -> CloseReason {
    let mut warned = HashSet::new();
    loop {
        let (hello, report) = {
            let input = heard.borrow_and_update();
            (input.hello.clone(), input.report.clone())
        };
        let state = shared.state.borrow().clone();
        if let Err(refused) = address::check(&state, peer, &hello, source_address) {
            return refused.into();
        }
        let now = shared.clock.now();
        let proposal = propose(&state, peer, &hello, report.as_deref(), now);
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
#[error("{}", sentence::task_unknown(*.0))]
struct UnknownTask(TaskId);

fn warn_once(peer: PeerId, warning: &dyn std::error::Error, warned: &mut HashSet<String>) {
    if warned.len() >= MAX_WARNINGS {
        warned.clear();
    }
    if warned.insert(warning.to_string()) {
        tracing::warn!(peer = %peer, "`{peer}` reports: {warning}");
    }
}
