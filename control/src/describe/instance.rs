//! Clusters, instances and routers.

use std::collections::BTreeMap;

use api::Platform;
use model::{Dimension, LeaseTimes, Observed, Resources, State, Timestamp};

use super::{count, pending, running};

/// A cluster.
pub(crate) fn cluster(state: &State, cluster: &model::Cluster) -> api::Cluster {
    let name = &cluster.name;
    let tasks = || state.tasks().filter(|task| task.cluster == *name);
    api::Cluster {
        cluster_name: name.clone(),
        cluster_id: cluster.id,
        active_services_count: count(state.services().filter(|one| one.cluster == *name)),
        running_tasks_count: running(tasks()),
        pending_tasks_count: pending(tasks()),
        registered_instances_count: count(state.instances().filter(|one| one.cluster == *name)),
        created_at: cluster.created_at,
    }
}

/// CPU and memory are always named, also where there is none.
fn amounts(resources: &Resources) -> BTreeMap<Dimension, u64> {
    let zero = [Dimension::Cpu, Dimension::Memory].map(|dimension| (dimension, 0));
    let given = resources.iter().map(|(dimension, amount)| (dimension.clone(), amount));
    zero.into_iter().chain(given).collect()
}

/// An instance.
pub(crate) fn instance(
    state: &State,
    observed: &Observed,
    times: &LeaseTimes,
    now: Timestamp,
    instance: &model::Instance,
) -> api::Instance {
    let tasks = || state.tasks_on(instance.id);
    let host = observed.hosts.get(&instance.id);
    api::Instance {
        instance_id: instance.id,
        name: instance.name.clone(),
        cluster_name: instance.cluster.clone(),
        status: instance.status,
        suspended: instance.suspended,
        lease: observed.instance_lease(instance.id, times, now),
        agent_connected: observed.connected(instance.id),
        platform: Platform(instance.platform.clone()),
        registered_resources: amounts(&instance.capacity),
        remaining_resources: amounts(&state.free_on(instance.id)),
        running_tasks_count: running(tasks()),
        pending_tasks_count: pending(tasks()),
        advertised_address: instance.advertised_address,
        allowed_address: instance.allowed_address,
        subnet: instance.subnet,
        agent_version: instance.agent_version.clone(),
        docker_version: instance.docker_version.clone(),
        available_memory_mib: host.and_then(|host| host.available_memory_mib),
        disk: host.and_then(|host| host.disk).map(|disk| api::Disk {
            total_mib: disk.total_mib,
            free_mib: disk.free_mib,
            nearly_full: disk.is_nearly_full(),
        }),
        divides_limits: instance.divides_limits.clone(),
        registered_at: instance.registered_at,
    }
}

/// A router.
pub(crate) fn router(
    observed: &Observed,
    times: &LeaseTimes,
    now: Timestamp,
    router: &model::Router,
) -> api::Router {
    let seen = observed.routers.get(&router.id);
    api::Router {
        router_id: router.id,
        name: router.name.clone(),
        version: router.version.clone(),
        lease: observed.router_lease(router.id, times, now),
        connected: seen.is_some_and(|seen| seen.presence.connected),
        applied_revision: seen.and_then(|seen| seen.applied),
        registered_at: router.registered_at,
    }
}
