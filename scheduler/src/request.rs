//! What a group of equal tasks asks of an instance.

use std::collections::BTreeSet;

use model::{
    ClusterName, ContainerName, Deployment, DeploymentId, Observed, PinnedImage, Platform,
    PortMapping, Resources, Service, ServiceId, ServiceRevision, State, Task, TaskDefinition,
};

use crate::memory;

/// What a group of equal tasks asks for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) cluster: ClusterName,
    pub(crate) service: Option<ServiceId>,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) resources: Resources,
    /// MiB of memory that a task will use beyond what it reserves, as far as that is known.
    pub(crate) unreserved_memory: u64,
    /// Every port mapping of a task.
    pub(crate) mappings: Vec<(ContainerName, PortMapping)>,
    /// What each image runs on, where it says so: an image that no tag names any more may go anywhere.
    pub(crate) platforms: Vec<BTreeSet<Platform>>,
}

impl Request {
    /// What tasks of a deployment ask for.
    pub(crate) fn of_service(
        state: &State,
        observed: &Observed,
        service: &Service,
        deployment: &Deployment,
        revision: &ServiceRevision,
        definition: &TaskDefinition,
    ) -> Self {
        Self {
            cluster: service.cluster.clone(),
            service: Some(service.id),
            deployment: Some(deployment.id),
            resources: definition.resources(),
            unreserved_memory: memory::expected(state, observed, service.id, definition),
            mappings: mappings(definition),
            platforms: platforms(state, revision.images.values()),
        }
    }

    /// What a task asks for that waits for an instance.
    pub(crate) fn of_task(state: &State, task: &Task, definition: &TaskDefinition) -> Self {
        Self {
            cluster: task.cluster.clone(),
            service: task.service,
            deployment: task.deployment,
            resources: task.resources.clone(),
            unreserved_memory: memory::at_least(definition),
            mappings: mappings(definition),
            platforms: platforms(state, task.containers().iter().map(|container| &container.image)),
        }
    }
}

fn mappings(definition: &TaskDefinition) -> Vec<(ContainerName, PortMapping)> {
    let of_container = |container: &model::ContainerDefinition| {
        let name = container.name.clone();
        let mappings = container.port_mappings.clone();
        mappings.into_iter().map(move |mapping| (name.clone(), mapping)).collect::<Vec<_>>()
    };
    definition.container_definitions.iter().flat_map(of_container).collect()
}

fn platforms<'a>(
    state: &State,
    images: impl Iterator<Item = &'a PinnedImage>,
) -> Vec<BTreeSet<Platform>> {
    let of = |image: &PinnedImage| {
        let tags = state.tags(&image.repository);
        let mut same = tags.filter(|tag| tag.digest == image.digest);
        same.next().map(|tag| tag.platforms.clone()).filter(|platforms| !platforms.is_empty())
    };
    images.filter_map(of).collect()
}
