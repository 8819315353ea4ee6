//! What the silence of each instance means. One that is lost gives up its tasks, unless most went at once: then it is
//! likely the scheduler that is cut off, and it holds still.

use std::collections::BTreeMap;

use model::{InstanceId, Lease, Timestamp};

use crate::inputs::Inputs;
use crate::planted::{self, Fault};

/// Fewer lost instances than this are never a mass loss.
const MASS: usize = 3;

/// What is known of an instance now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceFacts {
    /// When it was last heard of. Since a server start every lease is full.
    pub(crate) heard_at: Timestamp,
    /// What its silence means.
    pub(crate) lease: Lease,
    /// Whether its agent is on the line.
    pub(crate) is_connected: bool,
    /// Whether its tasks are given up.
    pub(crate) is_lost: bool,
    /// When more silence changes what becomes of its tasks.
    pub(crate) changes_at: Option<Timestamp>,
}

impl InstanceFacts {
    /// Whether it is there and does what it is told.
    pub(crate) fn is_available(&self) -> bool {
        self.lease == Lease::Ready && self.is_connected
    }
}

/// The facts of all instances.
pub(crate) fn assess(inputs: Inputs<'_>) -> BTreeMap<InstanceId, InstanceFacts> {
    let Inputs { state, observed, now, settings } = inputs;
    let lost_after = settings.lease.lost_after;
    let given_up_after = lost_after + settings.mass_loss_hold;
    let heard: Vec<_> = state
        .instances()
        .map(|instance| {
            let seen = observed.instances.get(&instance.id);
            let heard_at = seen.map_or(observed.since, |seen| seen.heard_at.max(observed.since));
            (instance.id, heard_at, settings.lease.lease(now.since(heard_at)))
        })
        .collect();
    let is_just_lost =
        |heard_at, lease| lease == Lease::Lost && now.since(heard_at) < given_up_after;
    let just_lost = heard.iter().filter(|(_, at, lease)| is_just_lost(*at, *lease)).count();
    let present = heard.iter().filter(|(_, _, lease)| *lease != Lease::Lost).count();
    let is_mass_loss = just_lost >= MASS && just_lost > present;
    let facts = heard.into_iter().map(|(id, heard_at, lease)| {
        let is_held = is_mass_loss && is_just_lost(heard_at, lease);
        let is_lost = lease == Lease::Lost && !is_held && !planted::is_on(Fault::NothingIsLost);
        let changes_after = if is_held { given_up_after } else { lost_after };
        let facts = InstanceFacts {
            heard_at,
            lease,
            is_connected: observed.connected(id),
            is_lost,
            changes_at: (!is_lost).then(|| heard_at.plus(changes_after)),
        };
        (id, facts)
    });
    facts.collect()
}
