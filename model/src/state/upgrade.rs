//! What becomes of services as they were kept before they had revisions: until format 2 of the store a service named its
//! task definition and its target groups itself, a target group its health check, and rules stood beside both.
//!
//! Pure: rows go in, and for each service come out the rows that take their place, at once or not at all. What is done
//! again comes to the same rows, since ids follow from those that there were.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entities::{Entity, RowKey};
use crate::definition::{
    ContainerDefinition, PortMapping, Revision, TaskDefinition, TransportProtocol,
};
use crate::digest::Digest;
use crate::id::{DeploymentId, ServiceId, ServiceRevisionId, TargetGroupId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::placement::PlacementFailure;
use crate::routing::{Action, HealthCheck, Rule};
use crate::row::{self, RowError, Schema, json};
use crate::service::{
    Deployment, DeploymentCause, DeploymentConfiguration, DeploymentFailure, DeploymentStage,
    LoadBalancer, RevisionOrigin, RolloutState, Route, SchedulingStrategy, Service,
    ServiceRevision, ServiceStatus,
};
use crate::time::Timestamp;

/// Rows that take the place of others: each key with its value, or without one where its row goes.
pub type Rewritten = Vec<(String, Option<Vec<u8>>)>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldService {
    id: ServiceId,
    cluster: ClusterName,
    name: ServiceName,
    status: ServiceStatus,
    scheduling_strategy: SchedulingStrategy,
    desired_count: u32,
    deployment_configuration: DeploymentConfiguration,
    health_check_grace_period_seconds: u32,
    load_balancers: Vec<OldLoadBalancer>,
    follow_tags: bool,
    deployment: Option<DeploymentId>,
    last_tried: BTreeMap<ContainerName, Digest>,
    last_completed: Option<Ran>,
    previous_completed: Option<Ran>,
    placement_failure: Option<PlacementFailure>,
    created_at: Timestamp,
    created_by: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldLoadBalancer {
    target_group: TargetGroupId,
    container_name: ContainerName,
    container_port: u16,
}

/// What a deployment ran.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ran {
    id: DeploymentId,
    task_definition: Revision,
    images: BTreeMap<ContainerName, PinnedImage>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldDeployment {
    #[serde(flatten)]
    ran: Ran,
    service: ServiceId,
    rollout_state: RolloutState,
    rollout_state_reason: String,
    #[serde(default)]
    failure: Option<DeploymentFailure>,
    rollback_of: Option<DeploymentId>,
    failed_tasks: u32,
    last_failure_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OldTargetGroup {
    id: TargetGroupId,
    health_check: HealthCheck,
    deregistration_delay_seconds: u32,
}

/// The rows that matter here, read.
#[derive(Debug, Default)]
struct Old {
    services: Vec<OldService>,
    deployments: Vec<OldDeployment>,
    groups: BTreeMap<TargetGroupId, OldTargetGroup>,
    rules: Vec<Rule>,
    definitions: BTreeMap<Revision, TaskDefinition>,
}

fn value<E: Entity>(entity: &E) -> Vec<u8> {
    row::encode(entity, E::SCHEMAS)
}

/// A row of a schema before revisions; None where it is of a later one.
fn old<T: for<'de> Deserialize<'de>>(key: &str, value: &[u8]) -> Result<Option<T>, RowError> {
    let schemas: &[Schema<T>] = &[(0, json), (1, json)];
    match row::decode(key, value, schemas) {
        Err(RowError::UnknownSchema { .. }) => Ok(None),
        read => read.map(Some),
    }
}

/// What takes the place of rows of State as they were before services had revisions: a batch for each service, which is
/// written at once or not at all. Services that have revisions are left alone.
pub fn to_revisions<'a>(
    rows: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Result<Vec<Rewritten>, RowError> {
    let mut found = Old::default();
    for (key, value) in rows {
        match key.split_once('/').map(|(kind, _)| kind) {
            Some("service") => found.services.extend(old::<OldService>(key, value)?),
            Some("deployment") => found.deployments.extend(old::<OldDeployment>(key, value)?),
            Some("rule") => found.rules.push(row::decode(key, value, &[(0, json), (1, json)])?),
            Some("task-definition") => {
                let definition: TaskDefinition = row::decode(key, value, &[(0, json), (1, json)])?;
                found.definitions.insert(definition.key(), definition);
            }
            // One that has lost its check belongs to a service that has revisions.
            Some("target-group") => {
                if let Ok(Some(group)) = old::<OldTargetGroup>(key, value) {
                    found.groups.insert(group.id, group);
                }
            }
            Some(_) | None => {}
        }
    }
    Ok(found.services.iter().map(|service| found.rewritten(service)).collect())
}

impl Old {
    fn rewritten(&self, service: &OldService) -> Rewritten {
        let mut deployments: Vec<_> =
            self.deployments.iter().filter(|one| one.service == service.id).collect();
        deployments.sort_by_key(|one| one.ran.id);
        let revisions = self.revisions(service, &deployments);
        let of = |ran: &Ran| {
            let same = |one: &&ServiceRevision| {
                (&one.task_definition, &one.images) == (&ran.task_definition, &ran.images)
            };
            revisions.iter().find(same).map(|revision| revision.id)
        };
        let completed =
            [&service.previous_completed, &service.last_completed].into_iter().flatten();
        let mut completed: Vec<ServiceRevisionId> = completed.filter_map(of).collect();
        completed.dedup();
        let mut rows: Rewritten = Vec::new();
        for deployment in deployments {
            let proven = completed.last().copied();
            let Some(revision) = of(&deployment.ran) else { continue };
            let new = deployment.renewed(revision, proven);
            rows.push((RowKey::Deployment(new.id).to_string(), Some(value(&new))));
        }
        for rule in self.rules.iter().filter(|rule| is_derived(rule, service)) {
            rows.push((RowKey::Rule(rule.id).to_string(), None));
        }
        for revision in &revisions {
            let key = RowKey::ServiceRevision(revision.id).to_string();
            rows.push((key, Some(value(revision))));
        }
        let last = u32::try_from(revisions.len()).unwrap_or(u32::MAX);
        let new = service.renewed(last, completed);
        rows.push((RowKey::Service(new.id).to_string(), Some(value(&new))));
        rows
    }

    /// One for each set of a definition and digests that a deployment ran, in the order of the first that did.
    fn revisions(
        &self,
        service: &OldService,
        deployments: &[&OldDeployment],
    ) -> Vec<ServiceRevision> {
        let completed =
            [&service.previous_completed, &service.last_completed].into_iter().flatten();
        let known = deployments.iter().map(|one| (&one.ran, one.created_at));
        let mut all: Vec<_> = completed.map(|ran| (ran, service.created_at)).chain(known).collect();
        all.sort_by_key(|(ran, _)| ran.id);
        let mut revisions: Vec<ServiceRevision> = Vec::new();
        for (ran, created_at) in all {
            let same = |one: &ServiceRevision| {
                (&one.task_definition, &one.images) == (&ran.task_definition, &ran.images)
            };
            if revisions.iter().any(same) {
                continue;
            }
            revisions.push(ServiceRevision {
                id: ran.id.to_string().parse().expect("all ids are written alike"),
                service: service.id,
                number: u32::try_from(revisions.len()).unwrap_or(u32::MAX).saturating_add(1),
                base: revisions.last().map(|one| one.id),
                origin: RevisionOrigin::Requested,
                task_definition: ran.task_definition.clone(),
                images: ran.images.clone(),
                load_balancers: self.load_balancers(service, &ran.task_definition),
                created_at,
                created_by: service.created_by.clone(),
            });
        }
        revisions
    }

    fn load_balancers(&self, service: &OldService, revision: &Revision) -> Vec<LoadBalancer> {
        let definition = self.definitions.get(revision);
        let renewed = service.load_balancers.iter().map(|balancer| {
            let group = self.groups.get(&balancer.target_group);
            let container =
                definition.and_then(|definition| definition.container(&balancer.container_name));
            let port = container.and_then(|one| serving_port(one, balancer.container_port));
            let rules = self.rules.iter().filter(|rule| {
                is_derived(rule, service)
                    && rule.action == Action::Forward { target_group: balancer.target_group }
            });
            LoadBalancer {
                target_group: balancer.target_group,
                container_name: balancer.container_name.clone(),
                container_port: port.unwrap_or(balancer.container_port),
                health_check: group.map(|one| one.health_check.clone()).unwrap_or_default(),
                deregistration_delay_seconds: group
                    .map_or(30, |one| one.deregistration_delay_seconds),
                routes: rules.map(route).collect(),
            }
        });
        renewed.collect()
    }
}

/// Whether a rule is one that came with the service: it leads to a target group of it, and nobody gave it a place.
fn is_derived(rule: &Rule, service: &OldService) -> bool {
    let leads_there = |balancer: &OldLoadBalancer| {
        rule.action == Action::Forward { target_group: balancer.target_group }
    };
    rule.service == Some(service.id)
        && rule.priority.is_none()
        && service.load_balancers.iter().any(leads_there)
}

fn route(rule: &Rule) -> Route {
    Route { id: rule.id, listener: rule.listener, conditions: rule.conditions.clone() }
}

/// The port that took the service's traffic in this definition: the one that is named, or the container's only one.
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

impl OldService {
    fn renewed(&self, last_revision: u32, completed: Vec<ServiceRevisionId>) -> Service {
        Service {
            id: self.id,
            cluster: self.cluster.clone(),
            name: self.name.clone(),
            status: self.status,
            scheduling_strategy: self.scheduling_strategy,
            desired_count: self.desired_count,
            deployment_configuration: self.deployment_configuration.clone(),
            health_check_grace_period_seconds: self.health_check_grace_period_seconds,
            follow_tags: self.follow_tags,
            deployment: self.deployment,
            last_tried: self.last_tried.clone(),
            last_revision,
            completed,
            placement_failure: self.placement_failure.clone(),
            created_at: self.created_at,
            created_by: self.created_by.clone(),
        }
    }
}

impl OldDeployment {
    /// Its rules were in force from its first moment on.
    fn renewed(
        &self,
        revision: ServiceRevisionId,
        proven: Option<ServiceRevisionId>,
    ) -> Deployment {
        let is_over = self.rollout_state == RolloutState::Completed;
        let is_superseded = matches!(self.failure, Some(DeploymentFailure::Superseded { .. }));
        Deployment {
            id: self.ran.id,
            service: self.service,
            revision,
            replaces: proven.into_iter().filter(|id| !is_over && *id != revision).collect(),
            stage: if is_over {
                DeploymentStage::Replaced { bake_until: None }
            } else {
                DeploymentStage::Serving
            },
            cause: match self.rollback_of {
                Some(of) => DeploymentCause::Failure { of },
                None => DeploymentCause::Requested,
            },
            rollout_state: if is_superseded { RolloutState::Stopped } else { self.rollout_state },
            rollout_state_reason: self.rollout_state_reason.clone(),
            failure: self.failure.clone(),
            failed_tasks: self.failed_tasks,
            crashed_tasks: 0,
            last_failure_at: self.last_failure_at,
            last_crash: None,
            created_at: self.created_at,
            created_by: String::new(),
            updated_at: self.updated_at,
        }
    }
}
