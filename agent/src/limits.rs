//! What bounds a container: what its definition says, what its task has as a whole, and what keeps the host alive where
//! nothing is said.

use model::{AssignedContainer, AssignedTask};

/// The kernel's minimum of `cpu.shares`, which ECS takes for 1 CPU unit, too.
const LEAST_CPU_SHARES: u64 = 2;
/// Shares of a container that says nothing: an eighth of a core's, so that it neither starves nor is in the way.
const UNSAID_CPU_SHARES: u64 = 128;
/// Docker's least limit of memory.
const LEAST_MEMORY_MIB: u64 = 6;
/// Billionths of a core in one CPU unit.
const NANOS_PER_UNIT: u64 = 1_000_000_000 / 1024;
const MEBIBYTE: u64 = 1024 * 1024;

/// The bounds of one container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Its weight under contention.
    pub(crate) cpu_shares: u64,
    /// Billionths of a core that it may use, where it may not use all.
    pub(crate) nano_cpus: Option<u64>,
    /// Bytes that it may use.
    pub(crate) memory: Option<u64>,
    /// Bytes that it is pushed back to when the host lacks memory.
    pub(crate) memory_reservation: Option<u64>,
    /// MiB that it may write in its own file system, where Docker bounds that.
    pub(crate) disk: Option<u64>,
    /// The control group of its task, which bounds all containers of it together.
    pub(crate) parent: Option<String>,
}

/// The bounds of a container of the task. `parent` is the control group that bounds the task, where it has one; without one
/// what the task has is divided over its containers. `host_memory` is what the host has, in MiB.
pub(crate) fn limits(
    task: &AssignedTask,
    container: &AssignedContainer,
    parent: Option<String>,
    host_memory: Option<u64>,
) -> Limits {
    let is_divided = parent.is_none();
    let cpu = task.cpu.filter(|_| is_divided);
    let cpu = cpu.map(|cpu| share(task, cpu, container.cpu, |one| one.cpu));
    let memory = match (container.memory, task.memory) {
        (Some(said), _) => Some(said),
        (None, Some(of_task)) if is_divided => {
            let share = share(task, of_task, 0, |one| one.memory.unwrap_or(0));
            Some(share.max(LEAST_MEMORY_MIB))
        }
        (None, Some(_)) => None,
        // One that reserves memory says itself what it will use.
        (None, None) => {
            host_memory.map(|all| all / 2).filter(|_| container.memory_reservation.is_none())
        }
    };
    Limits {
        cpu_shares: match container.cpu {
            0 => UNSAID_CPU_SHARES,
            said => said.max(LEAST_CPU_SHARES),
        },
        nano_cpus: cpu.map(|units| units.max(1).saturating_mul(NANOS_PER_UNIT)),
        memory: memory.map(bytes),
        memory_reservation: container.memory_reservation.map(bytes),
        disk: None,
        parent,
    }
}

/// What a container has of what its task has in all: what it says, and an equal part of the rest where it says nothing.
fn share(task: &AssignedTask, all: u64, said: u64, of: fn(&AssignedContainer) -> u64) -> u64 {
    if said > 0 {
        return said;
    }
    let taken = task.containers.iter().map(of).fold(0, u64::saturating_add);
    let silent = task.containers.iter().filter(|one| of(one) == 0).count().max(1);
    all.saturating_sub(taken) / u64::try_from(silent).unwrap_or(1)
}

fn bytes(mebibytes: u64) -> u64 {
    mebibytes.saturating_mul(MEBIBYTE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{self, task_of};

    fn of(task: &AssignedTask, index: usize, parent: Option<&str>) -> Limits {
        limits(task, &task.containers[index], parent.map(str::to_owned), Some(8_000))
    }

    #[test]
    fn what_says_nothing_is_held_to_half_of_the_host_and_to_a_small_weight() {
        let limits = of(&tests::task(), 0, None);
        assert_eq!((limits.cpu_shares, limits.nano_cpus), (128, None));
        assert_eq!(limits.memory, Some(4_000 * MEBIBYTE));
        let mut reserving = tests::task();
        reserving.containers[0].memory_reservation = Some(6_000);
        let limits = of(&reserving, 0, None);
        assert_eq!((limits.memory, limits.memory_reservation), (None, Some(6_000 * MEBIBYTE)));
    }

    #[test]
    fn what_is_said_stays_as_it_is() {
        let mut task = tests::task();
        (task.containers[0].cpu, task.containers[0].memory) = (1, Some(64));
        let limits = of(&task, 0, None);
        assert_eq!((limits.cpu_shares, limits.memory), (2, Some(64 * MEBIBYTE)));
    }

    #[test]
    fn a_task_with_a_control_group_is_bounded_by_that_alone() {
        let mut task = task_of(&[("main", true), ("side", false)]);
        (task.cpu, task.memory) = (Some(256), Some(512));
        let limits = of(&task, 0, Some("/berth/x"));
        assert_eq!((limits.nano_cpus, limits.memory), (None, None));
        assert_eq!(limits.parent.as_deref(), Some("/berth/x"));
    }

    #[test]
    fn what_a_task_has_is_divided_where_it_has_no_control_group() {
        let mut task = task_of(&[("main", true), ("side", false), ("third", false)]);
        (task.cpu, task.memory) = (Some(1024), Some(512));
        (task.containers[0].cpu, task.containers[0].memory) = (512, Some(256));
        let units = |index| of(&task, index, None).nano_cpus.unwrap() / NANOS_PER_UNIT;
        assert_eq!([units(0), units(1), units(2)], [512, 256, 256]);
        let mebibytes = |index| of(&task, index, None).memory.unwrap() / MEBIBYTE;
        assert_eq!([mebibytes(0), mebibytes(1), mebibytes(2)], [256, 128, 128]);
    }
}
