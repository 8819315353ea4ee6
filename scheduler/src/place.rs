//! A task goes where it fits in every respect, spread over instances; where none fits, it is known instance by instance
//! why.
//!
//! Instances are filtered once for a group of equal tasks; then each task goes to the first of a heap, and only that
//! instance's score changes. Addresses and host ports are given out in rotation, and none that any task still in State
//! has: routers may still know it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use model::{FilterReason, InstanceId, Placement, PlacementFailure, State, Timestamp};

use crate::filter;
use crate::request::Request;
use crate::room::Room;
use crate::tally::{self, Tally};

/// Where a group of equal tasks goes.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) placements: Vec<Placement>,
    /// Why not all of them have a place.
    pub(crate) unplaceable: Option<Unplaceable>,
    /// What is left.
    pub(crate) room: Room,
}

/// A task that no instance takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unplaceable {
    /// Why.
    pub(crate) failure: PlacementFailure,
    /// Until when an instance that is only just away may be back: nothing is said before.
    pub(crate) may_change_at: Option<Timestamp>,
    /// Whether it would help that another task stopped.
    pub(crate) lacks_room: bool,
}

/// Lowest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    tally: Tally,
    tasks: usize,
    most_free: Reverse<(u64, u64)>,
    id: InstanceId,
    index: usize,
}

impl Score {
    fn of(room: &Room, index: usize, tally: Tally) -> Self {
        let place = room.place(index);
        let most_free = Reverse((place.spare_memory, place.free.cpu()));
        Self { tally, tasks: place.tasks, most_free, id: place.id, index }
    }
}

/// Places up to `count` tasks; says why not all of them.
pub(crate) fn place(state: &State, mut room: Room, request: &Request, count: usize) -> Placed {
    let tallies = tally::tally(state, request);
    let mut heap: BinaryHeap<_> = room
        .of_cluster(&request.cluster)
        .filter(|index| room.filter(*index, request).is_none())
        .map(|index| {
            let tally = tallies.get(&room.place(index).id).copied().unwrap_or_default();
            Reverse(Score::of(&room, index, tally))
        })
        .collect();
    let mut placements = Vec::new();
    while placements.len() < count
        && let Some(Reverse(Score { mut tally, index, .. })) = heap.pop()
    {
        let Some(placement) = room.take(index, request) else { continue };
        placements.push(placement);
        tally.deployment += 1;
        tally.service += 1;
        if room.filter(index, request).is_none() {
            heap.push(Reverse(Score::of(&room, index, tally)));
        }
    }
    let unplaceable = (placements.len() < count).then(|| explain(&room, request));
    Placed { placements, unplaceable, room }
}

fn explain(room: &Room, request: &Request) -> Unplaceable {
    let candidates: Vec<_> = room.of_cluster(&request.cluster).collect();
    let may_change_at = candidates.iter().filter_map(|index| room.place(*index).may_open_at).min();
    // What fits by every count but cannot be taken has run out of addresses or ports.
    let reasons = candidates
        .into_iter()
        .map(|index| room.filter(index, request).unwrap_or(FilterReason::UsedUp));
    let instances = filter::count(reasons);
    let lacks_room = may_change_at.is_none()
        && instances.iter().any(|instances| instances.reason.is_lack_of_room());
    let cluster = request.cluster.clone();
    let failure = PlacementFailure::NoInstanceFits { cluster, instances, is_held_by_own: false };
    Unplaceable { failure, may_change_at, lacks_room }
}
