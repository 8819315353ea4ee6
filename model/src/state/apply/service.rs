//! Task definitions, services and their deployments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::routing::forwards_to;
use super::{Applied, Write, exists, not_found};
use crate::change::{Refusal, ServiceUpdate};
use crate::definition::{Revision, TaskDefinition};
use crate::digest::Digest;
use crate::history::History;
use crate::id::{DeploymentId, ServiceId};
use crate::image::Reference;
use crate::name::ContainerName;
use crate::service::{
    CompletedDeployment, Deployment, DeploymentConfiguration, LoadBalancer, RolloutState, Service,
    ServiceStatus,
};
use crate::state::RowKey;

/// ECS's bound on the desired count of a service.
const MOST_TASKS: u32 = 5_000;

impl Write<'_> {
    pub(super) fn register_definition(&mut self, definition: &TaskDefinition) -> Applied {
        let family = definition.family.clone();
        definition
            .check()
            .map_err(|source| Refusal::Definition { family: family.to_string(), source })?;
        let last = self.state.latest_task_definition(&family).map_or(0, |last| last.revision);
        let next = Revision { family, number: last + 1 };
        let given = definition.key();
        if given != next {
            return Err(Refusal::NotNext { given, next });
        }
        self.state.definitions.insert_mut(given.clone(), Arc::new(definition.clone()));
        self.touch(RowKey::TaskDefinition(given));
        Ok(())
    }

    pub(super) fn create_service(&mut self, service: &Service) -> Applied {
        let (cluster, name) = (service.cluster.clone(), service.name.clone());
        if self.state.cluster(&cluster).is_none() {
            return Err(not_found("cluster", cluster));
        }
        if self.state.service_named(&cluster, &name).is_some() {
            return Err(Refusal::ServiceExists { cluster, name });
        }
        if self.state.service(service.id).is_some() {
            return Err(exists("service", service.id));
        }
        let service = &Service {
            load_balancers: self.load_balancers(service, &service.task_definition)?,
            ..service.clone()
        };
        check_counts(service.desired_count, &service.deployment_configuration)?;
        if service.status != ServiceStatus::Active || service.deployment.is_some() {
            let message = "a new service is ACTIVE and has no deployment yet";
            return Err(Refusal::Invalid(message.to_owned()));
        }
        self.put_service(service.clone());
        let count = service.desired_count;
        self.event(service, &format!("was created with a desired count of {count}"));
        Ok(())
    }

    /// The ports that take the service's traffic in this revision: every target group has one, or its traffic would have
    /// nowhere to go.
    fn load_balancers(
        &self,
        service: &Service,
        key: &Revision,
    ) -> Result<Vec<LoadBalancer>, Refusal> {
        let definition =
            self.state.task_definition(key).ok_or_else(|| not_found("task definition", key))?;
        let in_this_revision = |balancer: &LoadBalancer| {
            if self.state.target_group(balancer.target_group).is_none() {
                return Err(not_found("target group", balancer.target_group));
            }
            let container = definition.container(&balancer.container_name);
            let port = container.and_then(|one| one.serving_port(balancer.container_port));
            let container_port = port.ok_or_else(|| {
                Refusal::Invalid(format!(
                    "task definition `{key}` maps no port {} of a container `{}`, to which service `{}` sends traffic",
                    balancer.container_port, balancer.container_name, service.name
                ))
            })?;
            Ok(LoadBalancer { container_port, ..balancer.clone() })
        };
        service.load_balancers.iter().map(in_this_revision).collect()
    }

    fn known_service(&self, id: ServiceId) -> Result<Service, Refusal> {
        self.state.service(id).cloned().ok_or_else(|| not_found("service", id))
    }

    fn active_service(&self, id: ServiceId) -> Result<Service, Refusal> {
        let service = self.known_service(id)?;
        match service.status {
            ServiceStatus::Active => Ok(service),
            ServiceStatus::Draining => Err(Refusal::WrongStatus {
                kind: "service",
                name: service.name.to_string(),
                status: "DRAINING: it was removed and its tasks are being stopped".to_owned(),
            }),
        }
    }

    pub(super) fn update_service(&mut self, update: &ServiceUpdate) -> Applied {
        let Some(id) = update.service else {
            return Err(Refusal::Invalid("an update names its service".to_owned()));
        };
        let known = self.active_service(id)?;
        let mut service = known.clone();
        if let Some(count) = update.desired_count {
            service.desired_count = count;
        }
        if let Some(configuration) = &update.deployment_configuration {
            service.deployment_configuration = configuration.clone();
        }
        if let Some(seconds) = update.health_check_grace_period_seconds {
            service.health_check_grace_period_seconds = seconds;
        }
        if let Some(follow) = update.follow_tags {
            service.follow_tags = follow;
        }
        check_counts(service.desired_count, &service.deployment_configuration)?;
        if service == known {
            return Ok(());
        }
        if service.desired_count != known.desired_count {
            let (from, to) = (known.desired_count, service.desired_count);
            self.event(&service, &format!("desired count changed from {from} to {to}"));
        }
        self.put_service(service);
        Ok(())
    }

    pub(super) fn drain_service(&mut self, id: ServiceId) -> Applied {
        let mut service = self.known_service(id)?;
        if service.status == ServiceStatus::Active {
            service.status = ServiceStatus::Draining;
            self.event(&service, "is being removed; its tasks are being stopped");
            self.put_service(service);
        }
        Ok(())
    }

    pub(super) fn remove_service(&mut self, id: ServiceId) -> Applied {
        let service = self.known_service(id)?;
        if service.status == ServiceStatus::Active {
            return Err(Refusal::WrongStatus {
                kind: "service",
                name: service.name.to_string(),
                status: "ACTIVE: drain it first".to_owned(),
            });
        }
        if let Some(task) = self.state.tasks_of(id).next() {
            return Err(Refusal::InUse {
                kind: "service",
                name: service.name.to_string(),
                by: format!("task `{}`", task.id),
            });
        }
        if let Some(rule) = self.state.rules().find(|rule| rule.service == Some(id)) {
            return Err(Refusal::InUse {
                kind: "service",
                name: service.name.to_string(),
                by: format!("rule `{}`", rule.id),
            });
        }
        let deployments: Vec<_> = self.deployments_of(id).map(|deployment| deployment.id).collect();
        for deployment in deployments {
            self.drop_deployment(deployment);
        }
        self.event(&service, "was removed");
        self.state.services.remove_mut(&id);
        self.state.index.remove_service(&service);
        self.touch(RowKey::Service(id));
        self.remove_lonely_target_groups(&service);
        Ok(())
    }

    fn remove_lonely_target_groups(&mut self, service: &Service) {
        let groups: BTreeSet<_> = service.load_balancers.iter().map(|lb| lb.target_group).collect();
        for id in groups {
            let used = self.state.rules().any(|rule| forwards_to(rule, id))
                || self
                    .state
                    .services()
                    .any(|other| other.load_balancers.iter().any(|lb| lb.target_group == id));
            if !used {
                self.state.target_groups.remove_mut(&id);
                self.touch(RowKey::TargetGroup(id));
            }
        }
    }

    pub(super) fn note_tried(
        &mut self,
        id: ServiceId,
        digests: &BTreeMap<ContainerName, Digest>,
    ) -> Applied {
        let mut service = self.known_service(id)?;
        let before = service.last_tried.clone();
        service.last_tried.extend(digests.iter().map(|(name, digest)| (name.clone(), *digest)));
        if service.last_tried != before {
            self.put_service(service);
        }
        Ok(())
    }

    pub(super) fn set_placement_failure(&mut self, id: ServiceId, reason: Option<&str>) -> Applied {
        let mut service = self.known_service(id)?;
        if service.placement_failure.as_deref() != reason {
            if let Some(reason) = reason {
                self.event(&service, &format!("was unable to place a task: {reason}"));
            }
            service.placement_failure = reason.map(ToOwned::to_owned);
            self.put_service(service);
        }
        Ok(())
    }

    fn deployments_of(&self, id: ServiceId) -> impl Iterator<Item = &Deployment> {
        self.state.deployments().filter(move |deployment| deployment.service == id)
    }

    fn drop_deployment(&mut self, id: DeploymentId) {
        self.state.deployments.remove_mut(&id);
        self.touch(RowKey::Deployment(id));
    }

    /// Drops the record of a deployment that does not count any more, once no task of it is left.
    pub(super) fn drop_deployment_without_tasks(&mut self, service: ServiceId, id: DeploymentId) {
        let counts = self.state.service(service).is_some_and(|s| s.deployment == Some(id));
        let has_tasks = self.state.tasks_of(service).any(|task| task.deployment == Some(id));
        if !counts && !has_tasks && self.state.deployment(id).is_some() {
            self.drop_deployment(id);
        }
    }

    pub(super) fn start_deployment(&mut self, deployment: &Deployment) -> Applied {
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
            let message = format!("a deployment of `{key}` names one image digest per container");
            return Err(Refusal::Invalid(message));
        }
        if deployment.rollout_state != RolloutState::InProgress || deployment.failed_tasks != 0 {
            return Err(Refusal::Invalid("a new deployment is IN_PROGRESS".to_owned()));
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
        let what = match deployment.rollback_of {
            Some(failed) => format!("rolls back deployment {failed} to {key}"),
            None => format!("started: {key}, {}", digests(deployment)),
        };
        self.event(&service, &format!("deployment {} {what}", deployment.id));
        self.put_service(service);
        self.put_deployment(deployment.clone());
        if let Some(old) = old {
            self.supersede(deployment, old);
        }
        Ok(())
    }

    fn supersede(&mut self, new: &Deployment, old: DeploymentId) {
        if let Some(known) = self.state.deployment(old).cloned()
            && known.rollout_state == RolloutState::InProgress
        {
            let superseded = Deployment {
                rollout_state: RolloutState::Failed,
                rollout_state_reason: format!("superseded by deployment {}", new.id),
                updated_at: self.at,
                ..known
            };
            self.touched.history.push(History::Deployment(superseded.clone()));
            self.put_deployment(superseded);
        }
        self.drop_deployment_without_tasks(new.service, old);
    }

    fn rolling(&self, id: DeploymentId) -> Result<(Deployment, Service), Refusal> {
        let deployment =
            self.state.deployment(id).cloned().ok_or_else(|| not_found("deployment", id))?;
        let service = self.known_service(deployment.service)?;
        let wrong = |status: &str| Refusal::WrongStatus {
            kind: "deployment",
            name: id.to_string(),
            status: status.to_owned(),
        };
        match deployment.rollout_state {
            _ if service.deployment != Some(id) => Err(wrong("superseded")),
            RolloutState::Completed => Err(wrong("COMPLETED")),
            RolloutState::Failed => Err(wrong("FAILED")),
            RolloutState::InProgress => Ok((deployment, service)),
        }
    }

    pub(super) fn complete_deployment(&mut self, id: DeploymentId) -> Applied {
        let (deployment, mut service) = self.rolling(id)?;
        let deployment = Deployment {
            rollout_state: RolloutState::Completed,
            rollout_state_reason: format!("deployment {id} completed"),
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
        self.event(&service, &format!("deployment {id} completed"));
        self.touched.history.push(History::Deployment(deployment.clone()));
        self.put_service(service);
        self.put_deployment(deployment);
        Ok(())
    }

    pub(super) fn fail_deployment(&mut self, id: DeploymentId, reason: &str) -> Applied {
        let (deployment, service) = self.rolling(id)?;
        let deployment = Deployment {
            rollout_state: RolloutState::Failed,
            rollout_state_reason: reason.to_owned(),
            updated_at: self.at,
            ..deployment
        };
        self.event(&service, &format!("deployment {id} failed: {reason}"));
        self.touched.history.push(History::Deployment(deployment.clone()));
        self.put_deployment(deployment);
        Ok(())
    }
}

fn check_counts(desired: u32, configuration: &DeploymentConfiguration) -> Applied {
    if desired > MOST_TASKS {
        let message = format!("a desired count of {desired} is too many; {MOST_TASKS} at most");
        return Err(Refusal::Invalid(message));
    }
    let (minimum, maximum) = (configuration.minimum_healthy_percent, configuration.maximum_percent);
    if minimum > 100 || !(100..=1000).contains(&maximum) {
        return Err(Refusal::Invalid(format!(
            "minimumHealthyPercent {minimum} and maximumPercent {maximum}: use 0 to 100, and 100 to 1000"
        )));
    }
    if minimum == 100 && maximum == 100 {
        let message = "with minimumHealthyPercent 100 and maximumPercent 100 no task can ever be replaced; \
                       lower the one or raise the other";
        return Err(Refusal::Invalid(message.to_owned()));
    }
    Ok(())
}

/// Which images a deployment runs, short enough for a sentence whatever they are named.
fn digests(deployment: &Deployment) -> String {
    let digests: BTreeSet<_> = deployment.images.values().map(|image| image.digest).collect();
    let noun = if digests.len() == 1 { "image" } else { "images" };
    let short: Vec<_> = digests.into_iter().map(|digest| digest.short()).collect();
    format!("{noun} {}", short.join(", "))
}
