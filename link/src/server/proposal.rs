//! What an agent or router reports, as Changes: only what State does not have yet, and only about the peer's own. The same
//! report again makes no Change.

use model::change::{InstanceReport, TaskReport};
use model::limits::{Batches, Weight};
use model::{
    Change, InstanceChange, Refusal, Router, RouterChange, State, TaskChange, TaskContainer,
    TaskStatus, Timestamp,
};

use super::clean::LINE_BYTES;
use crate::certificate::PeerId;
use crate::message::{AgentReport, Hello, SeenTask};

/// How many of a container's last lines are kept.
const TAIL_LINES: usize = 20;

/// What is to be recorded of a peer's input.
#[derive(Debug)]
pub(super) struct Proposal {
    /// Changes, in batches that fit.
    pub(super) batches: Vec<Vec<Change>>,
    /// What the peer may not report, or State refuses.
    pub(super) refused: Vec<Refusal>,
}

/// Compares a peer's input with State.
pub(super) fn propose(
    state: &State,
    peer: PeerId,
    hello: &Hello,
    report: Option<&AgentReport>,
    at: Timestamp,
) -> Proposal {
    let mut state = state.clone();
    let mut batches = Batches::default();
    let mut refused = Vec::new();
    let seen = report.into_iter().flat_map(|report| &report.tasks);
    let host = greeting(&state, peer, hello, at).into_iter().chain(disk(peer, report));
    for change in host.chain(seen.flat_map(|seen| task(peer, seen))) {
        match state.apply(&change, at) {
            Ok(touched) if touched.is_empty() => {}
            Ok(touched) => batches.push(vec![change], Weight::of(&state, &touched)),
            Err(refusal) => refused.push(refusal),
        }
    }
    Proposal { batches: batches.into_vec(), refused }
}

fn greeting(state: &State, peer: PeerId, hello: &Hello, at: Timestamp) -> Option<Change> {
    match peer {
        PeerId::Router(id) => {
            let known = state.router(id)?;
            Some(Change::from(RouterChange::Register(Router {
                id,
                name: hello.name.clone(),
                version: hello.version.clone(),
                registered_at: known.registered_at.min(at),
            })))
        }
        PeerId::Instance(instance) => {
            let host = hello.host.as_ref()?;
            Some(Change::from(InstanceChange::Report(InstanceReport {
                instance,
                name: hello.name.clone(),
                capacity: host.capacity.clone(),
                platform: host.platform.clone(),
                host: host.identity.clone(),
                advertised_address: host.advertised_address,
                agent_version: hello.version.clone(),
                docker_version: host.docker_version.clone(),
                divides_limits: host.divides_limits.clone(),
            })))
        }
    }
}

fn disk(peer: PeerId, report: Option<&AgentReport>) -> Option<Change> {
    let PeerId::Instance(instance) = peer else { return None };
    Some(InstanceChange::ReportDisk { instance, disk: report?.disk? }.into())
}

fn task(peer: PeerId, seen: &SeenTask) -> Vec<Change> {
    let PeerId::Instance(instance) = peer else { return Vec::new() };
    let report = Change::from(TaskChange::Report(TaskReport {
        instance,
        task: seen.task,
        status: seen.status,
        stopped: seen.stopped.clone().map(|mut stopped| {
            stopped.reason = cut(&stopped.reason);
            stopped
        }),
        containers: seen.containers.iter().map(container).collect(),
    }));
    let reaped = Change::from(TaskChange::Reaped { instance, task: seen.task });
    match (seen.reaped, seen.status) {
        (true, TaskStatus::Stopped) => vec![report, reaped],
        (true, _) => vec![reaped],
        (false, _) => vec![report],
    }
}

fn container(seen: &TaskContainer) -> TaskContainer {
    let skipped = seen.log_tail.len().saturating_sub(TAIL_LINES);
    TaskContainer {
        name: seen.name.clone(),
        image: seen.image.clone(),
        runtime_id: seen.runtime_id.as_ref().map(|id| cut(id.as_str()).into()),
        exit_code: seen.exit_code,
        reason: seen.reason.as_deref().map(cut),
        restarts: seen.restarts,
        log_tail: seen.log_tail.iter().skip(skipped).map(|line| cut(line)).collect(),
    }
}

fn cut(text: &str) -> String {
    model::clean_text(text, LINE_BYTES)
}

#[cfg(test)]
mod tests;
