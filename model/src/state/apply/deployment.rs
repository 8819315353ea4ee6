//! Deployments of services, and the revisions that they roll out.

use std::collections::BTreeSet;

use super::routing::{check_health_check, check_patterns};
use super::{Applied, Write, exists, not_found};
use crate::change::DeploymentChange;
use crate::definition::{PortMapping, TaskDefinition, TransportProtocol};
use crate::digest::Digest;
use crate::history::{EndedDeployment, EventKind, History};
use crate::id::{DeploymentId, ServiceId, ServiceRevisionId};
use crate::image::Reference;
use crate::name::ContainerName;
use crate::refusal::{ActualStatus, InvalidChange, Refusal};
use crate::sentence;
use crate::service::{
    Deployment, DeploymentFailure, DeploymentStage, LoadBalancer, NewDeployment, RolledOut,
    RolloutState, Service, ServiceRevision,
};
use crate::time::Timestamp;

/// Deployments of a service that are kept once they have ended, so that people see how its last revisions did.
const KEPT_DEPLOYMENTS: usize = 20;

impl Write<'_> {
    pub(super) fn deployment(&mut self, change: &DeploymentChange) -> Applied {
        match change {
            DeploymentChange::Start(deployment) => self.start_deployment(deployment),
            DeploymentChange::Bake { deployment, until } => {
                self.bake_deployment(*deployment, *until)
            }
            DeploymentChange::Complete(id) => self.complete_deployment(*id),
            DeploymentChange::Fail { deployment, failure } => {
                self.fail_deployment(*deployment, failure)
            }
        }
    }

    fn start_deployment(&mut self, new: &NewDeployment) -> Applied {
        let mut service = self.active_service(new.service)?;
        if self.state.deployment(new.id).is_some() {
            return Err(exists("deployment", new.id));
        }
        let revision = self.rolled_out(&service, &new.revision)?;
        let definition = self.definition_of(&revision)?;
        self.check_routes(&revision)?;
        if !new.cause.is_rollback() {
            service.last_tried.extend(self.tried(&revision, &definition));
        }
        let deployment = self.begun(&service, new, &revision);
        let before = service.deployment.replace(new.id);
        service.last_revision = service.last_revision.max(revision.number);
        service.placement_failure = None;
        let started = match new.cause.rollback_of() {
            Some(failed) => EventKind::RollbackStarted {
                deployment: new.id,
                revision: Some(revision.number),
                task_definition: revision.task_definition.clone(),
                failed,
            },
            None => EventKind::DeploymentStarted {
                deployment: new.id,
                revision: Some(revision.number),
                task_definition: revision.task_definition.clone(),
                images: revision.images.values().map(|image| image.digest).collect(),
            },
        };
        self.event(&service, started);
        self.put(service);
        if let RolledOut::New(_) = &new.revision {
            self.put(revision);
        }
        self.put(deployment.clone());
        if let Some(before) = before {
            self.supersede(&deployment, before);
        }
        self.prune(new.service);
        Ok(())
    }

    /// The revision that is rolled out: one that is there, or a new one that is the next of its service.
    fn rolled_out(
        &self,
        service: &Service,
        rolled_out: &RolledOut,
    ) -> Result<ServiceRevision, Refusal> {
        let revision = match rolled_out {
            RolledOut::Known(id) => self
                .state
                .service_revision(*id)
                .cloned()
                .ok_or_else(|| not_found("service revision", id))?,
            RolledOut::New(revision) => {
                if self.state.service_revision(revision.id).is_some() {
                    return Err(exists("service revision", revision.id));
                }
                let next = service.last_revision + 1;
                if revision.number != next {
                    let (service, given) = (service.name.clone(), revision.number);
                    return Err(Refusal::NotNextServiceRevision { service, given, next });
                }
                revision.clone()
            }
        };
        if revision.service != service.id {
            return Err(InvalidChange::OtherService.into());
        }
        Ok(revision)
    }

    /// What the revision's tasks run: it names a digest for each container, and each of its load balancers has a port.
    fn definition_of(&self, revision: &ServiceRevision) -> Result<TaskDefinition, Refusal> {
        let key = &revision.task_definition;
        let definition =
            self.state.task_definition(key).ok_or_else(|| not_found("task definition", key))?;
        let wanted: BTreeSet<_> =
            definition.container_definitions.iter().map(|c| &c.name).collect();
        if revision.images.keys().collect::<BTreeSet<_>>() != wanted {
            return Err(InvalidChange::Images(key.clone()).into());
        }
        for balancer in &revision.load_balancers {
            if self.state.target_group(balancer.target_group).is_none() {
                return Err(not_found("target group", balancer.target_group));
            }
            if !maps_port(definition, balancer) {
                let service = self.known_service(revision.service)?;
                return Err(Refusal::Invalid(InvalidChange::NoTrafficPort {
                    task_definition: key.clone(),
                    container: balancer.container_name.clone(),
                    port: balancer.container_port,
                    service: service.name,
                }));
            }
            check_health_check(&balancer.health_check)?;
        }
        Ok(definition.clone())
    }

    /// What the tags that its containers follow name now, where it runs that. Settings that are changed while what was
    /// pushed last does not run try nothing, so that a bad push stays tried.
    fn tried(
        &self,
        revision: &ServiceRevision,
        definition: &TaskDefinition,
    ) -> Vec<(ContainerName, Digest)> {
        let containers = definition.container_definitions.iter();
        let tried = containers.filter_map(|container| {
            let Reference::Tag(name) = &container.image.reference else { return None };
            let image = revision.images.get(&container.name)?;
            let tag = self.state.tag(&container.image.repository, name)?;
            (tag.digest == image.digest).then(|| (container.name.clone(), tag.digest))
        });
        tried.collect()
    }

    /// Nobody else has its hosts and paths. A roll-back that would need one that is taken since does not begin.
    fn check_routes(&self, revision: &ServiceRevision) -> Applied {
        for rule in revision.rules() {
            if self.state.listener(rule.listener).is_none() {
                return Err(not_found("listener", rule.listener));
            }
            check_patterns(&rule.conditions)?;
            self.check_conflicts(&rule, Some(revision.service))?;
        }
        Ok(())
    }

    /// A deployment as it begins. Where nothing is in force, or no task is wanted, its rules are in force at once: what
    /// they lead to then waits or is told that there is none, but is never said not to be there.
    fn begun(
        &self,
        service: &Service,
        new: &NewDeployment,
        revision: &ServiceRevision,
    ) -> Deployment {
        let in_force: Vec<_> = self.state.in_force(service).map(|known| known.id).collect();
        let is_empty = service.desired_count == 0;
        let mut tasks = self.state.tasks_of(service.id);
        let serves = tasks.any(|task| {
            let runs = self.state.revision_of(task).is_some_and(|one| one.id == revision.id);
            runs && task.wanted() && task.healthy_at().is_some()
        });
        let stage = if is_empty {
            DeploymentStage::Replaced { bake_until: None }
        } else if in_force.is_empty() || in_force.contains(&revision.id) || serves {
            DeploymentStage::Serving
        } else {
            DeploymentStage::Starting
        };
        Deployment {
            id: new.id,
            service: new.service,
            revision: revision.id,
            replaces: if is_empty {
                Vec::new()
            } else {
                in_force.into_iter().filter(|id| *id != revision.id).collect()
            },
            stage,
            rollout_state: RolloutState::InProgress,
            rollout_state_reason: sentence::deployment_started(&new.cause),
            cause: new.cause.clone(),
            failure: None,
            failed_tasks: 0,
            crashed_tasks: 0,
            last_failure_at: None,
            last_crash: None,
            created_at: new.created_at,
            created_by: new.created_by.clone(),
            updated_at: self.at,
        }
    }

    fn supersede(&mut self, new: &Deployment, old: DeploymentId) {
        if let Some(known) = self.state.deployment(old).cloned()
            && known.rollout_state == RolloutState::InProgress
        {
            let by = new.id;
            let failure = if new.cause.is_rollback() {
                DeploymentFailure::RolledBack { by }
            } else {
                DeploymentFailure::Superseded { by }
            };
            self.end_deployment(known, RolloutState::Stopped, failure);
        }
    }

    /// Drops the records of deployments and revisions that nobody will ask for: a deployment that counts, has tasks, or is
    /// one of the last stays; a revision stays with its deployments, and while a roll-back may go to it.
    pub(super) fn prune(&mut self, id: ServiceId) {
        let Some(service) = self.state.service(id).cloned() else { return };
        let has_tasks: BTreeSet<_> =
            self.state.tasks_of(id).filter_map(|task| task.deployment).collect();
        let newest_first: Vec<_> = self.state.deployments_of(id).rev().map(|one| one.id).collect();
        for old in newest_first.into_iter().skip(KEPT_DEPLOYMENTS) {
            if service.deployment != Some(old) && !has_tasks.contains(&old) {
                self.remove::<Deployment>(old);
            }
        }
        let kept: BTreeSet<ServiceRevisionId> = self
            .state
            .deployments_of(id)
            .flat_map(|one| one.replaces.iter().copied().chain([one.revision]))
            .chain(service.completed.iter().copied())
            .collect();
        let known: Vec<_> = self.state.revisions_of(id).map(|one| one.id).collect();
        for revision in known.into_iter().filter(|one| !kept.contains(one)) {
            self.remove::<ServiceRevision>(revision);
        }
    }

    fn rolling(&self, id: DeploymentId) -> Result<(Deployment, Service), Refusal> {
        let deployment =
            self.state.deployment(id).cloned().ok_or_else(|| not_found("deployment", id))?;
        let service = self.known_service(deployment.service)?;
        let wrong =
            |status| Refusal::WrongStatus { kind: "deployment", name: id.to_string(), status };
        match deployment.rollout_state {
            _ if service.deployment != Some(id) => Err(wrong(ActualStatus::Superseded)),
            RolloutState::Completed => Err(wrong(ActualStatus::Completed)),
            RolloutState::Failed => Err(wrong(ActualStatus::Failed)),
            RolloutState::Stopped => Err(wrong(ActualStatus::Superseded)),
            RolloutState::InProgress => Ok((deployment, service)),
        }
    }

    fn bake_deployment(&mut self, id: DeploymentId, until: Timestamp) -> Applied {
        let (deployment, service) = self.rolling(id)?;
        if deployment.bakes_until().is_some() {
            return Ok(());
        }
        self.event(&service, EventKind::DeploymentBaking { deployment: id, until });
        self.put(Deployment {
            replaces: Vec::new(),
            stage: DeploymentStage::Replaced { bake_until: Some(until) },
            rollout_state_reason: sentence::deployment_bakes(),
            updated_at: self.at,
            ..deployment
        });
        Ok(())
    }

    fn complete_deployment(&mut self, id: DeploymentId) -> Applied {
        let (deployment, mut service) = self.rolling(id)?;
        let deployment = Deployment {
            replaces: Vec::new(),
            stage: DeploymentStage::Replaced { bake_until: None },
            rollout_state: RolloutState::Completed,
            rollout_state_reason: sentence::deployment_completed(id),
            failed_tasks: 0,
            crashed_tasks: 0,
            last_failure_at: None,
            last_crash: None,
            updated_at: self.at,
            ..deployment
        };
        if service.desired_count > 0 {
            service.completed.retain(|known| *known != deployment.revision);
            service.completed.push(deployment.revision);
            let over = service.completed.len().saturating_sub(Service::KEPT_COMPLETED);
            service.completed.drain(..over);
        }
        self.event(&service, EventKind::DeploymentCompleted { deployment: id });
        self.record(&deployment);
        if self.state.service(service.id) != Some(&service) {
            self.put(service);
        }
        self.put(deployment);
        Ok(())
    }

    fn fail_deployment(&mut self, id: DeploymentId, failure: &DeploymentFailure) -> Applied {
        let (deployment, service) = self.rolling(id)?;
        let failure = failure.clone();
        let event = EventKind::DeploymentFailed { deployment: id, failure: failure.clone() };
        self.event(&service, event);
        self.end_deployment(deployment, RolloutState::Failed, failure);
        Ok(())
    }

    fn end_deployment(
        &mut self,
        deployment: Deployment,
        rollout_state: RolloutState,
        failure: DeploymentFailure,
    ) {
        let ended = Deployment {
            rollout_state,
            rollout_state_reason: failure.to_string(),
            failure: Some(failure),
            updated_at: self.at,
            ..deployment
        };
        self.record(&ended);
        self.put(ended);
    }

    /// Remembers how a deployment ended.
    fn record(&mut self, deployment: &Deployment) {
        if let Some(revision) = self.state.service_revision(deployment.revision) {
            let ended = EndedDeployment::of(deployment, revision);
            self.touched.history.push(History::Deployment(ended));
        }
    }
}

/// Whether the container of the load balancer has its port, for TCP.
fn maps_port(definition: &TaskDefinition, balancer: &LoadBalancer) -> bool {
    let is_its = |mapping: &PortMapping| {
        mapping.protocol == TransportProtocol::Tcp
            && mapping.container_port == balancer.container_port
    };
    let container = definition.container(&balancer.container_name);
    container.is_some_and(|container| container.port_mappings.iter().any(is_its))
}
