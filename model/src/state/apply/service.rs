//! Services.

use std::collections::{BTreeMap, BTreeSet};

use super::routing::forwards_to;
use super::{Applied, Write, exists, not_found};
use crate::change::{ServiceChange, ServiceUpdate};
use crate::definition::Revision;
use crate::digest::Digest;
use crate::history::EventKind;
use crate::id::ServiceId;
use crate::name::ContainerName;
use crate::placement::PlacementFailure;
use crate::refusal::{ActualStatus, InvalidChange, Refusal, User};
use crate::routing::TargetGroup;
use crate::service::{
    Deployment, DeploymentConfiguration, LoadBalancer, NewService, Service, ServiceStatus,
};

/// ECS's bound on the desired count of a service.
const MOST_TASKS: u32 = 5_000;

impl Write<'_> {
    pub(super) fn service(&mut self, change: &ServiceChange) -> Applied {
        match change {
            ServiceChange::Create(service) => self.create_service(service),
            ServiceChange::Update(update) => self.update_service(update),
            ServiceChange::Drain(id) => self.drain_service(*id),
            ServiceChange::Remove(id) => self.remove_service(*id),
            ServiceChange::NoteTried { service, digests } => self.note_tried(*service, digests),
            ServiceChange::SetPlacementFailure { service, failure } => {
                self.set_placement_failure(*service, failure.as_ref())
            }
        }
    }

    fn create_service(&mut self, new: &NewService) -> Applied {
        let (cluster, name) = (new.cluster.clone(), new.name.clone());
        if self.state.cluster(&cluster).is_none() {
            return Err(not_found("cluster", cluster));
        }
        if self.state.service_named(&cluster, &name).is_some() {
            return Err(Refusal::ServiceExists { cluster, name });
        }
        if self.state.service(new.id).is_some() {
            return Err(exists("service", new.id));
        }
        let mut service = Service::from(new.clone());
        service.load_balancers = self.load_balancers(&service, &service.task_definition)?;
        check_counts(service.desired_count, &service.deployment_configuration)?;
        self.event(&service, EventKind::Created { desired_count: service.desired_count });
        self.put(service);
        Ok(())
    }

    /// The ports that take the service's traffic in this revision: every target group has one, or its traffic would have
    /// nowhere to go.
    pub(super) fn load_balancers(
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
                Refusal::Invalid(InvalidChange::NoTrafficPort {
                    task_definition: key.clone(),
                    container: balancer.container_name.clone(),
                    port: balancer.container_port,
                    service: service.name.clone(),
                })
            })?;
            Ok(LoadBalancer { container_port, ..balancer.clone() })
        };
        service.load_balancers.iter().map(in_this_revision).collect()
    }

    pub(super) fn known_service(&self, id: ServiceId) -> Result<Service, Refusal> {
        self.state.service(id).cloned().ok_or_else(|| not_found("service", id))
    }

    pub(super) fn active_service(&self, id: ServiceId) -> Result<Service, Refusal> {
        let service = self.known_service(id)?;
        match service.status {
            ServiceStatus::Active => Ok(service),
            ServiceStatus::Draining => Err(Refusal::WrongStatus {
                kind: "service",
                name: service.name.to_string(),
                status: ActualStatus::DrainingService,
            }),
        }
    }

    fn update_service(&mut self, update: &ServiceUpdate) -> Applied {
        let Some(id) = update.service else {
            return Err(Refusal::Invalid(InvalidChange::NoService));
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
            self.event(&service, EventKind::DesiredCountChanged { from, to });
        }
        self.put(service);
        Ok(())
    }

    fn drain_service(&mut self, id: ServiceId) -> Applied {
        let mut service = self.known_service(id)?;
        if service.status == ServiceStatus::Active {
            service.status = ServiceStatus::Draining;
            self.event(&service, EventKind::Draining);
            self.put(service);
        }
        Ok(())
    }

    fn remove_service(&mut self, id: ServiceId) -> Applied {
        let service = self.known_service(id)?;
        if service.status == ServiceStatus::Active {
            return Err(Refusal::WrongStatus {
                kind: "service",
                name: service.name.to_string(),
                status: ActualStatus::ActiveService,
            });
        }
        if let Some(task) = self.state.tasks_of(id).next() {
            return Err(Refusal::InUse {
                kind: "service",
                name: service.name.to_string(),
                by: User::Task(task.id),
            });
        }
        if let Some(rule) = self.state.rules().find(|rule| rule.service == Some(id)) {
            return Err(Refusal::InUse {
                kind: "service",
                name: service.name.to_string(),
                by: User::Rule(rule.id),
            });
        }
        let deployments: Vec<_> = self.deployments_of(id).map(|deployment| deployment.id).collect();
        for deployment in deployments {
            self.remove::<Deployment>(deployment);
        }
        self.event(&service, EventKind::Removed);
        self.remove::<Service>(id);
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
                self.remove::<TargetGroup>(id);
            }
        }
    }

    fn note_tried(&mut self, id: ServiceId, digests: &BTreeMap<ContainerName, Digest>) -> Applied {
        let mut service = self.known_service(id)?;
        let before = service.last_tried.clone();
        service.last_tried.extend(digests.iter().map(|(name, digest)| (name.clone(), *digest)));
        if service.last_tried != before {
            self.put(service);
        }
        Ok(())
    }

    fn set_placement_failure(
        &mut self,
        id: ServiceId,
        failure: Option<&PlacementFailure>,
    ) -> Applied {
        let mut service = self.known_service(id)?;
        if service.placement_failure.as_ref() != failure {
            if let Some(failure) = failure.cloned() {
                self.event(&service, EventKind::PlacementFailed { failure });
            }
            service.placement_failure = failure.cloned();
            self.put(service);
        }
        Ok(())
    }
}

fn check_counts(desired: u32, configuration: &DeploymentConfiguration) -> Applied {
    if desired > MOST_TASKS {
        return Err(Refusal::Invalid(InvalidChange::DesiredCount { desired, most: MOST_TASKS }));
    }
    let (minimum, maximum) = (configuration.minimum_healthy_percent, configuration.maximum_percent);
    if minimum > 100 || !(100..=1000).contains(&maximum) {
        return Err(Refusal::Invalid(InvalidChange::Percentages { minimum, maximum }));
    }
    if minimum == 100 && maximum == 100 {
        return Err(Refusal::Invalid(InvalidChange::NoLegalStep));
    }
    Ok(())
}
