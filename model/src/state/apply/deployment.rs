//! Deployments of services.

use std::collections::BTreeSet;

use super::{Applied, Write, exists, not_found};
use crate::change::DeploymentChange;
use crate::history::{EventKind, History};
use crate::id::{DeploymentId, ServiceId};
use crate::image::Reference;
use crate::refusal::{ActualStatus, InvalidChange, Refusal};
use crate::sentence;
use crate::service::{CompletedDeployment, Deployment, DeploymentFailure, RolloutState, Service};

impl Write<'_> {
    pub(super) fn deployment(&mut self, change: &DeploymentChange) -> Applied {
        match change {
            DeploymentChange::Start(deployment) => self.start_deployment(deployment),
            DeploymentChange::Complete(id) => self.complete_deployment(*id),
            DeploymentChange::Fail { deployment, failure } => {
                self.fail_deployment(*deployment, failure)
            }
        }
    }

    pub(super) fn deployments_of(&self, id: ServiceId) -> impl Iterator<Item = &Deployment> {
        self.state.deployments().filter(move |deployment| deployment.service == id)
    }

    /// Drops the record of a deployment that does not count any more, once no task of it is left.
    pub(super) fn drop_deployment_without_tasks(&mut self, service: ServiceId, id: DeploymentId) {
        let counts = self.state.service(service).is_some_and(|s| s.deployment == Some(id));
        let has_tasks = self.state.tasks_of(service).any(|task| task.deployment == Some(id));
        if !counts && !has_tasks && self.state.deployment(id).is_some() {
            self.remove::<Deployment>(id);
        }
    }

    fn start_deployment(&mut self, deployment: &Deployment) -> Applied {
        let mut service = self.active_service(deployment.service)?;
        if self.state.deployment(deployment.id).is_some() {
            return Err(exists("deployment", deployment.id));
        }
        let key = &deployment.task_definition;
        service.load_balancers = self.load_balancers(&service, key)?;
        let definition =
            self.state.task_definition(key).ok_or_else(|| not_found("task definition", key))?;
        let wanted: BTreeSet<_> =
            definition.container_definitions.iter().map(|c| &c.name).collect();
        if deployment.images.keys().collect::<BTreeSet<_>>() != wanted {
            return Err(Refusal::Invalid(InvalidChange::Images(key.clone())));
        }
        if deployment.rollout_state != RolloutState::InProgress || deployment.failed_tasks != 0 {
            return Err(Refusal::Invalid(InvalidChange::DeploymentBegun));
        }
        if deployment.rollback_of.is_none() {
            for container in &definition.container_definitions {
                if let (Reference::Tag(_), Some(image)) =
                    (&container.image.reference, deployment.images.get(&container.name))
                {
                    service.last_tried.insert(container.name.clone(), image.digest);
                }
            }
        }
        let old = service.deployment.replace(deployment.id);
        service.task_definition = key.clone();
        service.placement_failure = None;
        let task_definition = key.clone();
        let event = match deployment.rollback_of {
            Some(failed) => {
                EventKind::RollbackStarted { deployment: deployment.id, task_definition, failed }
            }
            None => EventKind::DeploymentStarted {
                deployment: deployment.id,
                task_definition,
                images: deployment.images.values().map(|image| image.digest).collect(),
            },
        };
        self.event(&service, event);
        self.put(service);
        self.put(deployment.clone());
        if let Some(old) = old {
            self.supersede(deployment, old);
        }
        Ok(())
    }

    fn supersede(&mut self, new: &Deployment, old: DeploymentId) {
        if let Some(known) = self.state.deployment(old).cloned()
            && known.rollout_state == RolloutState::InProgress
        {
            let failure = DeploymentFailure::Superseded { by: new.id };
            let superseded = self.failed(known, failure);
            self.touched.history.push(History::Deployment(superseded.clone()));
            self.put(superseded);
        }
        self.drop_deployment_without_tasks(new.service, old);
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
            RolloutState::InProgress => Ok((deployment, service)),
        }
    }

    fn complete_deployment(&mut self, id: DeploymentId) -> Applied {
        let (deployment, mut service) = self.rolling(id)?;
        let deployment = Deployment {
            rollout_state: RolloutState::Completed,
            rollout_state_reason: sentence::deployment_completed(id),
            updated_at: self.at,
            ..deployment
        };
        let completed = CompletedDeployment {
            id,
            task_definition: deployment.task_definition.clone(),
            images: deployment.images.clone(),
        };
        let same = |other: &CompletedDeployment| {
            (&other.task_definition, &other.images)
                == (&completed.task_definition, &completed.images)
        };
        if !service.last_completed.as_ref().is_some_and(same) {
            service.previous_completed = service.last_completed.take();
        }
        service.last_completed = Some(completed);
        self.event(&service, EventKind::DeploymentCompleted { deployment: id });
        self.touched.history.push(History::Deployment(deployment.clone()));
        self.put(service);
        self.put(deployment);
        Ok(())
    }

    fn failed(&self, deployment: Deployment, failure: DeploymentFailure) -> Deployment {
        Deployment {
            rollout_state: RolloutState::Failed,
            rollout_state_reason: failure.to_string(),
            failure: Some(failure),
            updated_at: self.at,
            ..deployment
        }
    }

    fn fail_deployment(&mut self, id: DeploymentId, failure: &DeploymentFailure) -> Applied {
        let (deployment, service) = self.rolling(id)?;
        let deployment = self.failed(deployment, failure.clone());
        let failure = failure.clone();
        self.event(&service, EventKind::DeploymentFailed { deployment: id, failure });
        self.touched.history.push(History::Deployment(deployment.clone()));
        self.put(deployment);
        Ok(())
    }
}
