//! Revisions of a service.

use access::Resource;
use api::{ListEventsQuery, Page, RevisionAspect, RevisionOutcome};
use model::{ContainerDefinition, Service, ServiceName, ServiceRevision, State, TaskDefinition};

use crate::describe::service::images;
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View, find};

/// The revisions of a service that are kept, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListServiceRevisions {
    /// Of which service.
    pub service: ServiceName,
    /// In which cluster, and which page.
    pub query: ListEventsQuery,
}

impl Request for ListServiceRevisions {
    const OPERATION: Operation = Operation::ListServiceRevisions;
    type Answer = Page<api::ServiceRevision>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::service(&self.query.cluster, &self.service))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        find::service(context.view.state, &self.query.cluster, &self.service)?;
        Ok(Decision::read(|view| {
            let service = find::service(view.state, &self.query.cluster, &self.service)?;
            let key = |one: &&ServiceRevision| std::cmp::Reverse(one.number);
            let all = view.state.revisions_of(service.id);
            let describe = |one| describe(view.state, service, one);
            page(all, key, self.query.limit, self.query.next_token.as_ref(), describe)
        }))
    }
}

fn describe(state: &State, service: &Service, revision: &ServiceRevision) -> api::ServiceRevision {
    let mut deployments = state.deployments_of(service.id).rev();
    let last = deployments.find(|deployment| deployment.revision == revision.id);
    api::ServiceRevision {
        revision: revision.number,
        service_revision_id: revision.id,
        origin: revision.origin,
        task_definition: revision.task_definition.clone(),
        images: images(state, revision),
        load_balancers: load_balancers(state, revision),
        changed: changed(state, revision),
        outcome: last.map(|deployment| RevisionOutcome {
            rollout_state: deployment.rollout_state,
            stage: deployment.stage,
            reason: deployment.rollout_state_reason.clone(),
            updated_at: deployment.updated_at,
        }),
        in_force: state.in_force(service).any(|one| one.id == revision.id),
        proven: service.completed.contains(&revision.id),
        created_at: revision.created_at,
        created_by: revision.created_by.clone(),
    }
}

fn load_balancers(state: &State, revision: &ServiceRevision) -> Vec<api::RevisionLoadBalancer> {
    let balancers = revision.load_balancers.iter();
    let described = balancers.filter_map(|balancer| {
        Some(api::RevisionLoadBalancer {
            target_group_name: state.target_group(balancer.target_group)?.name.clone(),
            container_name: balancer.container_name.clone(),
            container_port: balancer.container_port,
            health_check: balancer.health_check.clone(),
            deregistration_delay_seconds: balancer.deregistration_delay_seconds,
            conditions: balancer.routes.iter().map(|route| route.conditions.clone()).collect(),
        })
    });
    described.collect()
}

/// What differs from the revision that it was built on.
fn changed(state: &State, revision: &ServiceRevision) -> Vec<RevisionAspect> {
    let Some(base) = revision.base.and_then(|id| state.service_revision(id)) else {
        return Vec::new();
    };
    let mut changed = Vec::new();
    if revision.images != base.images {
        changed.push(RevisionAspect::Image);
    }
    let definition = |of: &ServiceRevision| state.task_definition(&of.task_definition).cloned();
    if let (Some(now), Some(then)) = (definition(revision), definition(base)) {
        changed.extend(changed_in_definition(&now, &then));
    }
    let balancers = |of: &ServiceRevision| of.load_balancers.clone();
    let (now, then) = (balancers(revision), balancers(base));
    let mut differs = |aspect, is_same: fn(&model::LoadBalancer, &model::LoadBalancer) -> bool| {
        if now.len() != then.len() || !now.iter().zip(&then).all(|(a, b)| is_same(a, b)) {
            changed.push(aspect);
        }
    };
    differs(RevisionAspect::Port, |a, b| a.container_port == b.container_port);
    differs(RevisionAspect::Routes, |a, b| a.routes == b.routes);
    differs(RevisionAspect::HealthCheck, |a, b| a.health_check == b.health_check);
    changed
}

fn changed_in_definition(now: &TaskDefinition, then: &TaskDefinition) -> Vec<RevisionAspect> {
    let all = |of: fn(&ContainerDefinition) -> String| {
        let texts = |definition: &TaskDefinition| -> Vec<String> {
            definition.container_definitions.iter().map(of).collect()
        };
        texts(now) != texts(then)
    };
    let aspects = [
        (RevisionAspect::Environment, all(|one| format!("{:?}", one.environment))),
        (
            RevisionAspect::Resources,
            (now.cpu, now.memory) != (then.cpu, then.memory)
                || all(|one| format!("{:?}", (one.cpu, one.memory, one.memory_reservation))),
        ),
        (RevisionAspect::Command, all(|one| format!("{:?}", (&one.command, &one.entry_point)))),
    ];
    let found: Vec<_> =
        aspects.into_iter().filter_map(|(aspect, is_other)| is_other.then_some(aspect)).collect();
    if found.is_empty() && now.key() != then.key() {
        return vec![RevisionAspect::TaskDefinition];
    }
    found
}
