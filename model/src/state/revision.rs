//! What follows from service revisions and how far the deployment of their service is: which rules are in force, which
//! hosts are spoken for, what a task runs.

use std::collections::{BTreeMap, BTreeSet};

use super::State;
use crate::digest::Digest;
use crate::id::{RuleId, ServiceRevisionId, TargetGroupId};
use crate::image::PinnedImage;
use crate::name::RepositoryName;
use crate::routing::Rule;
use crate::service::{Deployment, LoadBalancer, Service, ServiceRevision};
use crate::task::Task;

impl State {
    /// The deployment of a service that counts.
    pub fn current_deployment(&self, service: &Service) -> Option<&Deployment> {
        self.deployment(service.deployment?)
    }

    /// The revision that was asked for last, by people or by a push; after a roll-back the one that it restores. What is
    /// asked for next builds on it.
    pub fn requested_revision(&self, service: &Service) -> Option<&ServiceRevision> {
        self.service_revision(self.current_deployment(service)?.revision)
    }

    /// Where a roll-back goes: the newest revision that proved itself.
    pub fn proven_revision(&self, service: &Service) -> Option<&ServiceRevision> {
        self.service_revision(*service.completed.last()?)
    }

    /// The revision that a task of a service runs.
    pub fn revision_of(&self, task: &Task) -> Option<&ServiceRevision> {
        self.service_revision(self.deployment(task.deployment?)?.revision)
    }

    /// Whether a task runs what the deployment rolls out: its own do, and those of an earlier deployment of the same
    /// revision, so that going back is as quick as stopping what failed.
    pub fn owns(&self, deployment: &Deployment, task: &Task) -> bool {
        let of = task.deployment.and_then(|id| self.deployment(id));
        of.is_some_and(|of| of.revision == deployment.revision)
    }

    /// How a task is reached, for each target group that it is in: by its own revision.
    pub fn load_balancers_of(&self, task: &Task) -> &[LoadBalancer] {
        self.revision_of(task).map_or(&[], |revision| revision.load_balancers.as_slice())
    }

    /// How a service is reached, by the newest revision that is in force; by the one that is asked for where none is.
    pub fn load_balancers(&self, service: &Service) -> &[LoadBalancer] {
        let newest = self.in_force(service).next().or_else(|| self.requested_revision(service));
        newest.map_or(&[], |revision| revision.load_balancers.as_slice())
    }

    /// The revisions of a service whose rules are in force, the newest first.
    pub fn in_force(&self, service: &Service) -> impl Iterator<Item = &ServiceRevision> {
        let deployment = self.current_deployment(service);
        let ids = deployment.into_iter().flat_map(Deployment::in_force);
        ids.filter_map(|id| self.service_revision(id))
    }

    /// The revisions of a service whose hosts and paths nobody else may take: those in force, the one that is to be, and
    /// the one that a roll-back goes to.
    pub fn reserving(&self, service: &Service) -> Vec<&ServiceRevision> {
        let ids = self.current_deployment(service).into_iter().flat_map(|deployment| {
            deployment.in_force().chain([deployment.revision]).collect::<Vec<_>>()
        });
        let mut ids: Vec<ServiceRevisionId> =
            ids.chain(service.completed.last().copied()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.service_revision(id)).collect()
    }

    /// The revisions of a service that a task may still be started of: those in force, the one that is to be, and those that
    /// a roll-back can go to.
    pub fn startable(&self, service: &Service) -> BTreeSet<ServiceRevisionId> {
        let counting = self.reserving(service).into_iter().map(|revision| revision.id);
        counting.chain(service.completed.iter().copied()).collect()
    }

    /// The service, and the revision of it, that needs an image to start its tasks.
    pub fn image_user(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Option<(&Service, &ServiceRevision)> {
        let is_it =
            |image: &PinnedImage| image.repository == *repository && image.digest == *digest;
        self.services().find_map(|service| {
            let revisions = self.startable(service).into_iter();
            let mut revisions = revisions.filter_map(|id| self.service_revision(id));
            let user = revisions.find(|revision| revision.images.values().any(is_it))?;
            Some((service, user))
        })
    }

    /// Every rule that is in force, by id: those that people made, and those of the revisions of services.
    pub fn rules_in_force(&self) -> BTreeMap<RuleId, Rule> {
        let derived = self.services().flat_map(|service| self.service_rules(service));
        let made = self.rules().cloned();
        derived.chain(made).map(|rule| (rule.id, rule)).collect()
    }

    /// The rules of a service's revisions that are in force. Where two revisions have the same host and path, the newer
    /// one's leads there.
    pub fn service_rules(&self, service: &Service) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        for rule in self.in_force(service).flat_map(ServiceRevision::rules) {
            let is_same = |known: &Rule| {
                (known.listener, &known.conditions) == (rule.listener, &rule.conditions)
            };
            if !rules.iter().any(is_same) {
                rules.push(rule);
            }
        }
        rules
    }

    /// The service and the revision that a rule comes with, if it does.
    pub fn owner_of_rule(&self, id: RuleId) -> Option<(&Service, &ServiceRevision)> {
        self.services().find_map(|service| {
            let mut revisions = self.in_force(service);
            let revision = revisions.find(|one| one.rules().any(|rule| rule.id == id))?;
            Some((service, revision))
        })
    }

    /// The service whose traffic goes to a target group, with how it does.
    pub fn user_of_target_group(&self, id: TargetGroupId) -> Option<(&Service, &LoadBalancer)> {
        self.services().find_map(|service| {
            let balancer =
                self.load_balancers(service).iter().find(|one| one.target_group == id)?;
            Some((service, balancer))
        })
    }
}
