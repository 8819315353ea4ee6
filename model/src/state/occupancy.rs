//! What the tasks of an instance have of it, kept up with each task: whether another one fits is asked for every placement,
//! and must cost no look at the tasks that are there.

use std::net::Ipv4Addr;

use rpds::HashTrieMapSync;

use crate::definition::TransportProtocol;
use crate::id::TaskId;
use crate::resources::Resources;
use crate::task::Task;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Occupancy {
    /// What they reserve together.
    pub(super) reserved: Resources,
    /// Their addresses, also of tasks that have stopped and are not forgotten.
    pub(super) addresses: HashTrieMapSync<Ipv4Addr, TaskId>,
    /// Their host ports, the same.
    pub(super) ports: HashTrieMapSync<(u16, TransportProtocol), TaskId>,
}

impl Occupancy {
    /// With this task, which is placed there.
    pub(super) fn add(&mut self, task: &Task) {
        let Some(placement) = task.placement() else { return };
        if task.reserves() {
            self.reserved = self.reserved.plus(&task.resources);
        }
        self.addresses.insert_mut(placement.address, task.id);
        for binding in &placement.ports {
            self.ports.insert_mut((binding.host_port, binding.protocol), task.id);
        }
    }

    /// Without it.
    pub(super) fn remove(&mut self, task: &Task) {
        let Some(placement) = task.placement() else { return };
        if task.reserves() {
            self.reserved = self.reserved.minus(&task.resources);
        }
        if self.addresses.get(&placement.address) == Some(&task.id) {
            self.addresses.remove_mut(&placement.address);
        }
        for binding in &placement.ports {
            let key = (binding.host_port, binding.protocol);
            if self.ports.get(&key) == Some(&task.id) {
                self.ports.remove_mut(&key);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// Whether two forms of a task occupy the same.
pub(super) fn is_same(before: &Task, after: &Task) -> bool {
    before.placement() == after.placement()
        && before.reserves() == after.reserves()
        && before.resources == after.resources
}
