//! How a deployment begins, whoever starts it, and the revision that it rolls out.

use std::collections::BTreeMap;

use model::{
    ContainerDefinition, ContainerName, DeploymentCause, DeploymentId, LoadBalancer, NewDeployment,
    PinnedImage, PortMapping, RevisionOrigin, RolledOut, ServiceId, ServiceRevision,
    ServiceRevisionId, State, TaskDefinition, TransportProtocol,
};

use crate::Context;

/// What a new revision of a service says.
#[derive(Debug)]
pub(crate) struct Contents<'a> {
    /// What its tasks run.
    pub(crate) definition: &'a TaskDefinition,
    /// The digest of each container's image.
    pub(crate) images: BTreeMap<ContainerName, PinnedImage>,
    /// How they are reached.
    pub(crate) load_balancers: Vec<LoadBalancer>,
}

/// The next revision of a service, built on the one that was asked for last.
pub(crate) fn next_revision(
    context: &Context<'_>,
    service: ServiceId,
    contents: Contents<'_>,
) -> ServiceRevision {
    let (state, now) = (context.view.state, context.view.now);
    let known = state.service(service);
    let base = known.and_then(|service| state.requested_revision(service));
    ServiceRevision {
        id: ServiceRevisionId::new(now, context.random()),
        service,
        number: known.map_or(0, |service| service.last_revision) + 1,
        base: base.map(|base| base.id),
        origin: RevisionOrigin::Requested,
        task_definition: contents.definition.key(),
        images: contents.images,
        load_balancers: contents.load_balancers,
        created_at: now,
        created_by: context.view.caller.principal.to_string(),
    }
}

/// A deployment that who asks wants.
pub(crate) fn start(
    context: &Context<'_>,
    service: ServiceId,
    revision: RolledOut,
    cause: DeploymentCause,
) -> NewDeployment {
    let now = context.view.now;
    NewDeployment {
        id: DeploymentId::new(now, context.random()),
        service,
        revision,
        cause,
        created_at: now,
        created_by: context.view.caller.principal.to_string(),
    }
}

/// Whether the service rolls out or runs exactly what the revision says already.
pub(crate) fn runs_already(state: &State, revision: &ServiceRevision) -> bool {
    let service = state.service(revision.service);
    let current = service.and_then(|service| state.current_deployment(service));
    let requested = service.and_then(|service| state.requested_revision(service));
    current.is_some_and(|current| match current.rollout_state {
        model::RolloutState::InProgress | model::RolloutState::Completed => true,
        model::RolloutState::Failed | model::RolloutState::Stopped => false,
    }) && requested.is_some_and(|requested| requested.says_the_same(revision))
}

/// How a service is reached when it runs another definition: the port that took its traffic, or the container's only one
/// where it has no other, so that traffic follows a port that moves.
pub(crate) fn balancers_in(
    definition: &TaskDefinition,
    balancers: &[LoadBalancer],
) -> Vec<LoadBalancer> {
    let moved = balancers.iter().map(|balancer| {
        let container = definition.container(&balancer.container_name);
        let port = container.and_then(|one| serving_port(one, balancer.container_port));
        let container_port = port.unwrap_or(balancer.container_port);
        LoadBalancer { container_port, ..balancer.clone() }
    });
    moved.collect()
}

fn serving_port(container: &ContainerDefinition, port: u16) -> Option<u16> {
    let tcp = |mapping: &&PortMapping| mapping.protocol == TransportProtocol::Tcp;
    let ports: Vec<u16> =
        container.port_mappings.iter().filter(tcp).map(|one| one.container_port).collect();
    match ports.as_slice() {
        several if several.contains(&port) => Some(port),
        [only] => Some(*only),
        _ => None,
    }
}
