//! What is observed of peers, in `Observed`. Its watchers are woken only by a change on which something is decided: that a
//! peer which was connected a moment ago still is wakes none.

use std::collections::BTreeMap;
use std::time::Duration;

use model::observed::{HostSeen, Presence, TargetSeen};
use model::{Epoch, InstanceId, Observed, RouterId, State, TargetGroupId, TaskId, Timestamp};

use super::sessions::SessionHandle;
use super::shared::Shared;
use crate::certificate::PeerId;
use crate::message::{AgentReport, RouterReport};

/// After how many beats of silence watchers are woken by a frame.
const WAKE_AFTER_BEATS: u32 = 2;

type Targets = BTreeMap<(TargetGroupId, TaskId), TargetSeen>;

impl Shared {
    /// A frame of the connection's peer has come.
    pub(super) fn heard(&self, session: &SessionHandle) {
        let (now, quiet) = (self.clock.now(), self.beat * WAKE_AFTER_BEATS);
        self.sessions.if_current(session, || {
            self.observed.send_if_modified(|observed| hear(observed, session.peer, now, quiet));
        });
    }

    /// A report of the connection's agent has come: what it measured of its host.
    pub(super) fn measured(&self, session: &SessionHandle, id: InstanceId, report: &AgentReport) {
        let host = HostSeen {
            available_memory_mib: report.available_memory_mib,
            disk: report.disk,
            peak_memory_mib: report
                .tasks
                .iter()
                .filter_map(|seen| Some((seen.task, seen.peak_memory_mib?)))
                .collect(),
        };
        self.sessions.if_current(session, || {
            self.observed.send_if_modified(|observed| {
                observed.hosts.insert(id, host.clone()).is_none_or(|before| before != host)
            });
        });
    }

    /// A report of the connection's router has come.
    pub(super) fn reported(&self, session: &SessionHandle, id: RouterId, report: RouterReport) {
        let (now, quiet) = (self.clock.now(), self.beat * WAKE_AFTER_BEATS);
        self.sessions.if_current(session, || {
            self.observed.send_if_modified(|observed| {
                let heard = hear(observed, session.peer, now, quiet);
                see(observed, id, report, self.epoch, now) | heard
            });
        });
    }

    /// The connection has ended: unless it was replaced, its peer is disconnected. Entries of removed peers are dropped, too.
    pub(super) fn gone(&self, session: &SessionHandle) {
        let state = self.state.borrow().clone();
        self.sessions.close(session, || {
            self.observed.send_modify(|observed| leave(observed, session.peer, &state));
        });
    }
}

/// Records that a peer is connected; returns whether watchers are to be woken.
fn hear(observed: &mut Observed, peer: PeerId, now: Timestamp, quiet: Duration) -> bool {
    let before = presence(observed, peer);
    match peer {
        PeerId::Instance(id) => observed.hear_instance(id, true, now),
        PeerId::Router(id) => {
            observed.hear_router(id, true, now);
        }
    }
    before.is_none_or(|before| !before.connected || now.since(before.heard_at) >= quiet)
}

fn presence(observed: &Observed, peer: PeerId) -> Option<Presence> {
    match peer {
        PeerId::Instance(id) => observed.instances.get(&id).copied(),
        PeerId::Router(id) => observed.routers.get(&id).map(|seen| seen.presence),
    }
}

/// Records a router's report; returns whether watchers are to be woken. A table of another epoch counts as none.
fn see(
    observed: &mut Observed,
    id: RouterId,
    report: RouterReport,
    epoch: Epoch,
    now: Timestamp,
) -> bool {
    let RouterReport { applied, targets } = report;
    let seen = observed.hear_router(id, true, now);
    let applied = applied.filter(|(of, _)| *of == epoch).map(|(_, revision)| revision);
    let targets: Targets = targets
        .into_iter()
        .map(|target| ((target.target_group, target.task), target.seen))
        .collect();
    let is_news = seen.applied != applied || !agree(&seen.targets, &targets);
    (seen.applied, seen.targets) = (applied, targets);
    is_news
}

/// Whether two reports agree in what is decided on: how many requests a target has in flight counts only while it drains,
/// and then only whether there are any.
fn agree(one: &Targets, other: &Targets) -> bool {
    let busy = |seen: &TargetSeen| seen.draining && seen.in_flight > 0;
    one.len() == other.len()
        && one.iter().zip(other).all(|((key, one), (other_key, other))| {
            key == other_key
                && one.health == other.health
                && one.reason == other.reason
                && one.draining == other.draining
                && busy(one) == busy(other)
        })
}

/// Records that a peer is disconnected. Its last report stays.
fn leave(observed: &mut Observed, peer: PeerId, state: &State) {
    match peer {
        PeerId::Instance(id) => {
            if let Some(seen) = observed.instances.get_mut(&id) {
                seen.connected = false;
            }
        }
        PeerId::Router(id) => {
            if let Some(seen) = observed.routers.get_mut(&id) {
                seen.presence.connected = false;
            }
        }
    }
    observed.instances.retain(|id, _| state.instance(*id).is_some());
    observed.hosts.retain(|id, _| state.instance(*id).is_some());
    observed.routers.retain(|id, _| state.router(*id).is_some());
}

#[cfg(test)]
mod tests {
    use model::observed::TargetHealth;
    use model::{InstanceId, StateRevision};

    use super::*;
    use crate::message::SeenTarget;

    const QUIET: Duration = Duration::from_secs(6);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_secs(seconds))
    }

    fn target(health: TargetHealth, draining: bool, in_flight: u32) -> SeenTarget {
        SeenTarget {
            target_group: TargetGroupId::new(Timestamp::EPOCH, [1; 10]),
            task: TaskId::new(Timestamp::EPOCH, [1; 10]),
            seen: TargetSeen { health, reason: None, failure: None, draining, in_flight },
        }
    }

    #[test]
    fn a_beat_in_time_keeps_the_lease_and_wakes_no_watcher() {
        let mut observed = Observed::new(at(0));
        let id = InstanceId::new(Timestamp::EPOCH, [1; 10]);
        let peer = PeerId::Instance(id);
        assert!(hear(&mut observed, peer, at(1), QUIET), "it is new");
        assert!(!hear(&mut observed, peer, at(4), QUIET));
        assert_eq!(observed.instances[&id].heard_at, at(4));
        assert!(hear(&mut observed, peer, at(15), QUIET), "it had been silent");
        leave(&mut observed, peer, &State::default());
        assert!(hear(&mut observed, peer, at(16), QUIET), "it is back");
    }

    #[test]
    fn a_report_wakes_watchers_only_by_a_difference_that_is_decided_on() {
        let mut observed = Observed::new(at(0));
        let id = RouterId::new(Timestamp::EPOCH, [1; 10]);
        let mut tell = |applied: Option<(u64, u64)>, target: SeenTarget| {
            let applied = applied.map(|(epoch, revision)| (Epoch(epoch), StateRevision(revision)));
            let report = RouterReport { applied, targets: vec![target] };
            let is_news = see(&mut observed, id, report, Epoch(2), at(1));
            (is_news, observed.routers[&id].applied)
        };
        let (healthy, initial) = (TargetHealth::Healthy, TargetHealth::Initial);
        assert_eq!(tell(None, target(initial, false, 0)), (true, None));
        assert_eq!(tell(Some((1, 9)), target(initial, false, 0)), (false, None), "an old epoch");
        let third = Some(StateRevision(3));
        assert_eq!(tell(Some((2, 3)), target(initial, false, 0)), (true, third));
        assert_eq!(tell(Some((2, 3)), target(healthy, false, 0)), (true, third));
        assert_eq!(tell(Some((2, 3)), target(healthy, false, 7)), (false, third), "just traffic");
        assert_eq!(tell(Some((2, 3)), target(healthy, true, 7)), (true, third));
        assert_eq!(tell(Some((2, 3)), target(healthy, true, 6)), (false, third), "still draining");
        assert_eq!(tell(Some((2, 3)), target(healthy, true, 0)), (true, third), "drained");
    }
}
