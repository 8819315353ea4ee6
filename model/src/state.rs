//! Everything that the control plane decides on, at one revision.

use crate::access::Credential;
use crate::cluster::Installation;
use crate::definition::{Revision, TaskDefinition};
use crate::digest::Digest;
use crate::history::History;
use crate::id::{InstallationId, InstanceId, ServiceId, StateRevision};
use crate::image::{Tag, TagKey};
use crate::name::{ClusterName, Family, RepositoryName, ServiceName, TagName, TargetGroupName};
use crate::resources::Resources;
use crate::routing::TargetGroup;
use crate::service::{Deployment, Service, ServiceRevision};
use crate::task::Task;

mod apply;
mod entities;
mod index;
mod occupancy;
mod revision;
mod rows;
pub mod upgrade;

#[cfg(test)]
mod tests;

pub use entities::{OnlyOne, RowKey, State, newest_form};

pub use crate::row::RowError;

/// What applying a Change touched: exactly these rows are written, in the same batch as the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Rows of State that were made, changed or removed.
    pub rows: std::collections::BTreeSet<RowKey>,
    /// What happened.
    pub history: Vec<History>,
}

impl Touched {
    /// Whether nothing was touched: there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.history.is_empty()
    }

    /// Both together.
    pub fn extend(&mut self, other: Self) {
        let Self { rows, history } = other;
        self.rows.extend(rows);
        self.history.extend(history);
    }
}

impl State {
    /// Which state this is.
    pub fn revision(&self) -> StateRevision {
        self.revision
    }

    /// The same state at another revision: the store numbers what it commits.
    #[must_use]
    pub fn at(mut self, revision: StateRevision) -> Self {
        self.revision = revision;
        self
    }

    /// The installation, once it has a name.
    pub fn installation(&self) -> Option<InstallationId> {
        self.all::<Installation>().next().map(|installation| installation.id)
    }

    /// A credential by the SHA-256 of its secret. Looking up by hash tells an attacker's clock nothing.
    pub fn credential_by_hash(&self, hash: &Digest) -> Option<&Credential> {
        self.credential(*self.index.credential_hashes.get(hash)?)
    }

    /// The newest revision of a family.
    pub fn latest_task_definition(&self, family: &Family) -> Option<&TaskDefinition> {
        let all = Revision { family: family.clone(), number: 0 }..=Revision {
            family: family.clone(),
            number: u32::MAX,
        };
        self.tables
            .task_definitions
            .range(all)
            .next_back()
            .map(|(_, definition)| definition.as_ref())
    }

    /// A service by name.
    pub fn service_named(&self, cluster: &ClusterName, name: &ServiceName) -> Option<&Service> {
        self.service(*self.index.service_names.get(&(cluster.clone(), name.clone()))?)
    }

    /// The tasks of an instance, oldest first.
    pub fn tasks_on(&self, id: InstanceId) -> impl Iterator<Item = &Task> {
        let ids = self.index.instance_tasks.get(&id);
        ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| self.task(*id))
    }

    /// The tasks of a service, oldest first.
    pub fn tasks_of(&self, id: ServiceId) -> impl Iterator<Item = &Task> {
        let ids = self.index.service_tasks.get(&id);
        ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| self.task(*id))
    }

    /// The deployments of a service, oldest first: the one that counts, those that still have tasks, and the last ones
    /// that ended.
    pub fn deployments_of(&self, id: ServiceId) -> impl DoubleEndedIterator<Item = &Deployment> {
        let ids = self.index.service_deployments.get(&id);
        ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| self.deployment(*id))
    }

    /// The revisions of a service, oldest first.
    pub fn revisions_of(&self, id: ServiceId) -> impl DoubleEndedIterator<Item = &ServiceRevision> {
        let ids = self.index.service_revisions.get(&id);
        ids.into_iter().flat_map(|ids| ids.iter()).filter_map(|id| self.service_revision(*id))
    }

    /// What the tasks of an instance reserve together.
    pub fn reserved_on(&self, id: InstanceId) -> Resources {
        self.index.occupancy.get(&id).map(|taken| taken.reserved.clone()).unwrap_or_default()
    }

    /// What an instance has left.
    pub fn free_on(&self, id: InstanceId) -> Resources {
        self.instance(id).map_or_else(Resources::default, |instance| {
            instance.capacity.minus(&self.reserved_on(id))
        })
    }

    /// A target group by name.
    pub fn target_group_named(
        &self,
        cluster: &ClusterName,
        name: &TargetGroupName,
    ) -> Option<&TargetGroup> {
        self.target_groups().find(|group| group.cluster == *cluster && group.name == *name)
    }

    /// A tag by repository and name.
    pub fn tag(&self, repository: &RepositoryName, tag: &TagName) -> Option<&Tag> {
        self.get::<Tag>(&TagKey { repository: repository.clone(), name: tag.clone() })
    }

    /// The tags of a repository in byte order.
    pub fn tags(&self, repository: &RepositoryName) -> impl Iterator<Item = &Tag> {
        let repository = repository.clone();
        let lowest: TagName = "0".parse().expect("`0` is a tag: digits sort before all others");
        self.tables
            .tags
            .range(TagKey { repository: repository.clone(), name: lowest }..)
            .take_while(move |(key, _)| key.repository == repository)
            .map(|(_, tag)| tag.as_ref())
    }
}
