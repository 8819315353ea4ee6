//! Clusters, instances and routers.

use std::collections::BTreeMap;

use model::{
    Instance, Lease, LeaseTimes, Observed, Resources, Router, State, TaskStatus, Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::at;

/// A cluster.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterShape {
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: String,
    pub(crate) active_services_count: usize,
    pub(crate) running_tasks_count: usize,
    pub(crate) pending_tasks_count: usize,
    pub(crate) registered_instances_count: usize,
    pub(crate) created_at: String,
}

impl ClusterShape {
    pub(crate) fn of(state: &State, cluster: &model::Cluster) -> Self {
        let name = &cluster.name;
        let tasks = || state.tasks().filter(|task| task.cluster == *name);
        Self {
            cluster_name: name.to_string(),
            cluster_id: cluster.id.to_string(),
            active_services_count: state.services().filter(|one| one.cluster == *name).count(),
            running_tasks_count: tasks().filter(|task| runs(task.last_status)).count(),
            pending_tasks_count: tasks().filter(|task| pends(task.last_status)).count(),
            registered_instances_count: state.instances().filter(|i| i.cluster == *name).count(),
            created_at: at(cluster.created_at),
        }
    }
}

/// Whether a status counts as running.
pub(crate) fn runs(status: TaskStatus) -> bool {
    status == TaskStatus::Running
}

/// Whether a status counts as pending.
pub(crate) fn pends(status: TaskStatus) -> bool {
    matches!(status, TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Activating)
}

/// An instance (ECS: container instance).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceShape {
    pub(crate) instance_id: String,
    pub(crate) name: String,
    pub(crate) cluster_name: String,
    /// ACTIVE or DRAINING: people's wish.
    pub(crate) status: String,
    /// READY, SUSPECT, DISCONNECTED or LOST: what its silence means.
    pub(crate) lease: String,
    pub(crate) agent_connected: bool,
    pub(crate) platform: String,
    /// CPU units and MiB of MEMORY in all.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub(crate) registered_resources: BTreeMap<String, u64>,
    /// What is not reserved.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub(crate) remaining_resources: BTreeMap<String, u64>,
    pub(crate) running_tasks_count: usize,
    pub(crate) pending_tasks_count: usize,
    pub(crate) advertised_address: String,
    pub(crate) subnet: Option<String>,
    pub(crate) agent_version: String,
    pub(crate) docker_version: String,
    pub(crate) registered_at: String,
}

fn amounts(resources: &Resources) -> BTreeMap<String, u64> {
    let zero = ["CPU", "MEMORY"].map(|name| (name.to_owned(), 0));
    let given = resources.iter().map(|(dimension, amount)| (dimension.to_string(), amount));
    zero.into_iter().chain(given).collect()
}

pub(crate) fn lease(lease: Lease) -> String {
    match lease {
        Lease::Ready => "READY",
        Lease::Suspect => "SUSPECT",
        Lease::Disconnected => "DISCONNECTED",
        Lease::Lost => "LOST",
    }
    .to_owned()
}

impl InstanceShape {
    pub(crate) fn of(
        state: &State,
        observed: &Observed,
        times: &LeaseTimes,
        now: Timestamp,
        instance: &Instance,
    ) -> Self {
        let tasks = || state.tasks_on(instance.id);
        Self {
            instance_id: instance.id.to_string(),
            name: instance.name.clone(),
            cluster_name: instance.cluster.to_string(),
            status: match instance.status {
                model::InstanceStatus::Active => "ACTIVE".to_owned(),
                model::InstanceStatus::Draining => "DRAINING".to_owned(),
            },
            lease: lease(observed.instance_lease(instance.id, times, now)),
            agent_connected: observed.connected(instance.id),
            platform: instance.platform.to_string(),
            registered_resources: amounts(&instance.capacity),
            remaining_resources: amounts(&state.free_on(instance.id)),
            running_tasks_count: tasks().filter(|task| runs(task.last_status)).count(),
            pending_tasks_count: tasks().filter(|task| pends(task.last_status)).count(),
            advertised_address: instance.advertised_address.to_string(),
            subnet: instance.subnet.map(|subnet| subnet.to_string()),
            agent_version: instance.agent_version.clone(),
            docker_version: instance.docker_version.clone(),
            registered_at: at(instance.registered_at),
        }
    }
}

/// A router.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RouterShape {
    pub(crate) router_id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// READY, SUSPECT, DISCONNECTED or LOST.
    pub(crate) lease: String,
    pub(crate) connected: bool,
    /// The revision of the table that it serves from and has on disk.
    pub(crate) applied_revision: Option<u64>,
    pub(crate) registered_at: String,
}

impl RouterShape {
    pub(crate) fn of(
        observed: &Observed,
        times: &LeaseTimes,
        now: Timestamp,
        router: &Router,
    ) -> Self {
        let seen = observed.routers.get(&router.id);
        Self {
            router_id: router.id.to_string(),
            name: router.name.clone(),
            version: router.version.clone(),
            lease: lease(observed.router_lease(router.id, times, now)),
            connected: seen.is_some_and(|seen| seen.presence.connected),
            applied_revision: seen.and_then(|seen| seen.applied).map(|revision| revision.0),
            registered_at: at(router.registered_at),
        }
    }
}
