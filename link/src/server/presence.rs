//! What is heard of peers, in `Observed`. Everybody who waits for it is woken only when something is different that
//! somebody decides on: that a peer which was there a moment ago is still there wakes nobody.

use std::collections::BTreeMap;
use std::time::Duration;

use model::observed::{Presence, TargetSeen};
use model::{Epoch, Observed, RouterId, State, TargetGroupId, TaskId, Timestamp};

use super::Shared;
use super::seats::Seat;
use crate::certificate::PeerId;
use crate::message::RouterReport;

/// After how many beats of silence a sign of life is news.
const NEWS_AFTER_BEATS: u32 = 2;

type Targets = BTreeMap<(TargetGroupId, TaskId), TargetSeen>;

impl Shared {
    /// The connection's peer was heard of.
    pub(super) fn heard(&self, seat: &Seat) {
        let (now, quiet) = (self.clock.now(), self.beat * NEWS_AFTER_BEATS);
        self.seats.while_seated(seat, || {
            self.observed.send_if_modified(|observed| hear(observed, seat.peer, now, quiet));
        });
    }

    /// The connection's router has reported.
    pub(super) fn reported(&self, seat: &Seat, id: RouterId, report: RouterReport) {
        let (now, quiet) = (self.clock.now(), self.beat * NEWS_AFTER_BEATS);
        self.seats.while_seated(seat, || {
            self.observed.send_if_modified(|observed| {
                let heard = hear(observed, seat.peer, now, quiet);
                see(observed, id, report, self.epoch, now) | heard
            });
        });
    }

    /// The connection has ended: unless its peer is back on another one, it is no longer there. Entries of peers that were
    /// removed go, too.
    pub(super) fn gone(&self, seat: &Seat) {
        let state = self.state.borrow().clone();
        self.seats.leave(seat, || {
            self.observed.send_modify(|observed| leave(observed, seat.peer, &state));
        });
    }
}

/// Notes that a peer was heard of; says whether that is news.
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

/// Notes what a router reports; says whether it is news. A table of another epoch counts as none.
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
    let news = seen.applied != applied || !agree(&seen.targets, &targets);
    (seen.applied, seen.targets) = (applied, targets);
    news
}

/// Whether two reports agree in what somebody decides on: how many requests a target has counts only while it drains,
/// and then only whether any are left.
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

/// Notes that a peer is no longer there. What it saw stays known.
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
            seen: TargetSeen { health, reason: None, draining, in_flight },
        }
    }

    #[test]
    fn a_beat_in_time_keeps_the_lease_and_wakes_nobody() {
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
    fn a_report_wakes_only_when_somebody_decides_on_the_difference() {
        let mut observed = Observed::new(at(0));
        let id = RouterId::new(Timestamp::EPOCH, [1; 10]);
        let mut tell = |applied: Option<(u64, u64)>, target: SeenTarget| {
            let applied = applied.map(|(epoch, revision)| (Epoch(epoch), StateRevision(revision)));
            let report = RouterReport { applied, targets: vec![target] };
            let news = see(&mut observed, id, report, Epoch(2), at(1));
            (news, observed.routers[&id].applied)
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
