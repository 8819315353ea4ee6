//! Services.

use std::collections::{BTreeMap, BTreeSet};

use super::{Applied, Write, exists, not_found};
use crate::change::{ServiceChange, ServiceUpdate};
use crate::digest::Digest;
use crate::history::EventKind;
use crate::id::ServiceId;
use crate::name::ContainerName;
use crate::placement::PlacementFailure;
use crate::refusal::{ActualStatus, InvalidChange, Refusal, User};
use crate::routing::TargetGroup;
use crate::sentence;
use crate::service::{
    Deployment, DeploymentConfiguration, DeploymentStage, NewService, RolloutState, Service,
    ServiceRevision, ServiceStatus,
};

/// The longest that a deployment may be watched, in seconds: a day, as in ECS.
const LONGEST_BAKE: u32 = 24 * 60 * 60;
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
        let service = Service::from(new.clone());
        check_counts(service.desired_count, &service.deployment_configuration)?;
        self.event(&service, EventKind::Created { desired_count: service.desired_count });
        self.put(service);
        Ok(())
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
            if from == 0 {
                self.prove_anew(&service);
            }
        }
        self.put(service);
        Ok(())
    }

    /// A revision that was rolled out to no task has proved nothing: its deployment is in progress again once there are
    /// to be some.
    fn prove_anew(&mut self, service: &Service) {
        let Some(deployment) = self.state.current_deployment(service) else { return };
        let is_proven = service.completed.contains(&deployment.revision);
        if deployment.rollout_state == RolloutState::Completed && !is_proven {
            self.put(Deployment {
                stage: DeploymentStage::Replaced { bake_until: None },
                rollout_state: RolloutState::InProgress,
                rollout_state_reason: sentence::deployment_started(&deployment.cause),
                updated_at: self.at,
                ..deployment.clone()
            });
        }
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
        let deployments: Vec<_> =
            self.state.deployments_of(id).map(|deployment| deployment.id).collect();
        for deployment in deployments {
            self.remove::<Deployment>(deployment);
        }
        let revisions: Vec<ServiceRevision> = self.state.revisions_of(id).cloned().collect();
        for revision in &revisions {
            self.remove::<ServiceRevision>(revision.id);
        }
        self.event(&service, EventKind::Removed);
        self.remove::<Service>(id);
        self.remove_lonely_target_groups(&revisions);
        Ok(())
    }

    /// Removes the target groups that nobody uses any more.
    pub(super) fn remove_lonely_target_groups(&mut self, of: &[ServiceRevision]) {
        let balancers = of.iter().flat_map(|revision| &revision.load_balancers);
        let groups: BTreeSet<_> = balancers.map(|balancer| balancer.target_group).collect();
        for id in groups {
            if self.user_of_group(id).is_none() {
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
            // What `berth down` stops is no news to whoever asked for it.
            if let Some(failure) = failure.filter(|one| !one.is_suspension()).cloned() {
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
    if configuration.bake_time_in_seconds > LONGEST_BAKE {
        let (seconds, most) = (configuration.bake_time_in_seconds, LONGEST_BAKE);
        return Err(Refusal::Invalid(InvalidChange::BakeTime { seconds, most }));
    }
    if minimum == 100 && maximum == 100 {
        return Err(Refusal::Invalid(InvalidChange::NoLegalStep));
    }
    Ok(())
}
