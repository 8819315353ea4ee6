//! Who is let in: connections are counted in all and per address, and the one that has waited longest for its client makes
//! room for a new one.
//!
//! Waiting is ordered by a counter, not by a clock: a connection takes the next number whenever it begins to wait for bytes
//! of its client, so one on which bytes keep coming is never the one that has waited longest.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::seldom::Seldom;

/// The connections of one listener.
#[derive(Debug)]
pub(crate) struct Admission {
    name: &'static str,
    limits: Limits,
    connections: Mutex<Connections>,
    numbers: Arc<AtomicU64>,
    seldom: Seldom,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    all: HashMap<u64, Entry>,
    of: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    progress: Arc<Progress>,
    cut: CancellationToken,
}

/// Whether a connection waits for its client, and since when.
#[derive(Debug)]
pub(crate) struct Progress {
    numbers: Arc<AtomicU64>,
    /// The number that it took when it began to wait; [`SERVES`] while it does not.
    waits_since: AtomicU64,
}

const SERVES: u64 = u64::MAX;

impl Progress {
    /// It waits for bytes of its client, from now on or already.
    pub(crate) fn waits(&self) {
        if self.waits_since.load(Ordering::Relaxed) == SERVES {
            let number = self.numbers.fetch_add(1, Ordering::Relaxed);
            self.waits_since.store(number, Ordering::Relaxed);
        }
    }

    /// Its client waits.
    pub(crate) fn serves(&self) {
        self.waits_since.store(SERVES, Ordering::Relaxed);
    }

    fn number(&self) -> Option<u64> {
        Some(self.waits_since.load(Ordering::Relaxed)).filter(|number| *number != SERVES)
    }
}

/// A connection that was let in; its place is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    id: u64,
    pub(crate) progress: Arc<Progress>,
    /// Cancelled when it has to make room.
    pub(crate) cut: CancellationToken,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.admission.connections().remove(self.id);
    }
}

impl Connections {
    fn of(&self, address: IpAddr) -> usize {
        self.of.get(&address).copied().unwrap_or_default()
    }

    /// The connection of an address that has waited longest.
    fn longest_waiting(&self, address: IpAddr) -> Option<u64> {
        let of_address = self.all.iter().filter(|(_, entry)| entry.address == address);
        let waiting = of_address.filter_map(|(id, entry)| Some((entry.progress.number()?, *id)));
        waiting.min().map(|(_, id)| id)
    }

    fn busiest(&self) -> Option<IpAddr> {
        let most = self.of.iter().max_by_key(|(_, connections)| **connections);
        most.map(|(address, _)| *address)
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.all.remove(&id)?;
        if let Some(connections) = self.of.get_mut(&entry.address) {
            *connections -= 1;
            if *connections == 0 {
                self.of.remove(&entry.address);
            }
        }
        Some(entry)
    }
}

impl Admission {
    pub(crate) fn new(name: &'static str, limits: Limits) -> Self {
        Self {
            name,
            limits,
            connections: Mutex::default(),
            numbers: Arc::default(),
            seldom: Seldom::default(),
        }
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection of this address in, or says that there is no room for it.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Admitted> {
        let mut connections = self.connections();
        let crowded = if connections.of(address) >= self.limits.per_address {
            Some(address)
        } else if connections.all.len() >= self.limits.connections {
            connections.busiest()
        } else {
            None
        };
        if let Some(crowded) = crowded {
            let cut = connections.longest_waiting(crowded).and_then(|id| connections.remove(id));
            self.tell(crowded, cut.is_some());
            cut?.cut.cancel();
        }
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let progress = Arc::new(Progress {
            numbers: Arc::clone(&self.numbers),
            waits_since: AtomicU64::new(number),
        });
        let (id, cut) = (connections.next, CancellationToken::new());
        connections.next += 1;
        let entry = Entry { address, progress: Arc::clone(&progress), cut: cut.clone() };
        connections.all.insert(id, entry);
        *connections.of.entry(address).or_default() += 1;
        drop(connections);
        Some(Admitted { admission: Arc::clone(self), id, progress, cut })
    }

    fn tell(&self, crowded: IpAddr, has_room: bool) {
        let Some(before) = self.seldom.tell("connections", crowded) else { return };
        let what = if has_room {
            "the one that waited longest for its client is closed"
        } else {
            "new ones are refused, since all are being served"
        };
        tracing::warn!(
            "{crowded} has most of the connections of the {}, and one more has come: {what}{before}",
            self.name
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn admission(connections: usize, per_address: usize) -> Arc<Admission> {
        let limits = Limits { connections, per_address, ..Limits::DEFAULT };
        Arc::new(Admission::new("test", limits))
    }

    #[tokio::test]
    async fn who_waits_longest_makes_room_and_who_is_served_never_does() {
        let admission = admission(10, 3);
        let first = admission.admit(ONE).unwrap();
        let second = admission.admit(ONE).unwrap();
        let third = admission.admit(ONE).unwrap();
        first.progress.serves();
        let fourth = admission.admit(ONE).unwrap();
        assert!(second.cut.is_cancelled() && !first.cut.is_cancelled());
        // One on which bytes came waits anew.
        third.progress.serves();
        third.progress.waits();
        drop(second);
        let fifth = admission.admit(ONE).unwrap();
        assert!(fourth.cut.is_cancelled() && !third.cut.is_cancelled());
        for served in [&third, &fifth] {
            served.progress.serves();
        }
        assert!(admission.admit(ONE).is_none(), "all three are being served");
        assert!(admission.admit(OTHER).is_some(), "others are not concerned");
        drop(fifth);
        assert!(admission.admit(ONE).is_some());
    }

    #[tokio::test]
    async fn a_crowd_of_one_address_shuts_out_no_other() {
        let admission = admission(4, 4);
        let quiet = admission.admit(OTHER).unwrap();
        let crowd: Vec<_> = (0..3).map(|_| admission.admit(ONE).unwrap()).collect();
        let another = admission.admit(OTHER).unwrap();
        assert!(crowd[0].cut.is_cancelled());
        assert!(!quiet.cut.is_cancelled() && !another.cut.is_cancelled());
    }
}
