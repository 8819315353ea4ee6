//! Memory of tasks that say nothing about it. They reserve none, so State never refuses them; but they use some, and a host
//! without memory serves nobody. So the planner charges what they will probably use against what hosts measure.

use model::{InstanceId, Observed, ServiceId, State, Task, TaskDefinition};

/// MiB that a container is expected to use at least.
const LEAST_MIB: u64 = 64;

/// MiB that a task of the definition is expected to use beyond what it reserves, where nothing is known of it.
pub(crate) fn at_least(definition: &TaskDefinition) -> u64 {
    LEAST_MIB.saturating_mul(u64::try_from(definition.containers_without_memory()).unwrap_or(0))
}

/// MiB that a task of the service is expected to use beyond what it reserves: the most that one of its tasks did.
pub(crate) fn expected(
    state: &State,
    observed: &Observed,
    service: ServiceId,
    definition: &TaskDefinition,
) -> u64 {
    let least = at_least(definition);
    if least == 0 {
        return 0;
    }
    let reserved = definition.resources().memory();
    let peaks = state.tasks_of(service).filter_map(|task| peak(observed, task));
    peaks.map(|peak| peak.saturating_sub(reserved)).fold(least, u64::max)
}

/// MiB of an instance for what reserves none: what the host measures as free, without what new tasks have not used yet, and
/// no more than is left of what the instance offers.
pub(crate) fn spare(state: &State, observed: &Observed, id: InstanceId) -> u64 {
    let mut offered = state.free_on(id).memory();
    let host = observed.hosts.get(&id);
    let mut measured = host.and_then(|host| host.available_memory_mib).unwrap_or(offered);
    for task in state.tasks_on(id).filter(|task| task.reserves()) {
        let Some(definition) = state.task_definition(&task.task_definition) else { continue };
        let least = at_least(definition);
        match peak(observed, task) {
            Some(peak) if least > 0 => {
                offered = offered.saturating_sub(peak.saturating_sub(task.resources.memory()));
            }
            Some(_) => {}
            None => {
                offered = offered.saturating_sub(least);
                measured = measured.saturating_sub(least.max(task.resources.memory()));
            }
        }
    }
    offered.min(measured)
}

fn peak(observed: &Observed, task: &Task) -> Option<u64> {
    observed.hosts.get(&task.instance()?)?.peak_memory_mib.get(&task.id).copied()
}
