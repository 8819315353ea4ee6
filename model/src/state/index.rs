//! What finds entities by something else than their key. Derived from the tables, so never written.

use std::hash::Hash;

use rpds::{HashTrieMapSync, RedBlackTreeSetSync};

use super::occupancy::{self, Occupancy};
use crate::access::Credential;
use crate::digest::Digest;
use crate::id::{CredentialId, DeploymentId, InstanceId, ServiceId, ServiceRevisionId, TaskId};
use crate::name::{ClusterName, ServiceName};
use crate::service::{Deployment, Service, ServiceRevision};
use crate::task::Task;

type Ids<K, V> = HashTrieMapSync<K, RedBlackTreeSetSync<V>>;

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Index {
    pub(super) service_names: HashTrieMapSync<(ClusterName, ServiceName), ServiceId>,
    pub(super) instance_tasks: Ids<InstanceId, TaskId>,
    pub(super) occupancy: HashTrieMapSync<InstanceId, Occupancy>,
    pub(super) service_tasks: Ids<ServiceId, TaskId>,
    pub(super) service_deployments: Ids<ServiceId, DeploymentId>,
    pub(super) service_revisions: Ids<ServiceId, ServiceRevisionId>,
    pub(super) credential_hashes: HashTrieMapSync<Digest, CredentialId>,
}

impl Index {
    pub(super) fn services(&mut self, before: Option<&Service>, after: Option<&Service>) {
        let name = |service: &Service| (service.cluster.clone(), service.name.clone());
        let (old, new) = (before.map(name), after.map(name));
        if old != new {
            old.map(|old| self.service_names.remove_mut(&old));
        }
        if let (Some(new), Some(service)) = (new, after) {
            self.service_names.insert_mut(new, service.id);
        }
    }

    pub(super) fn tasks(&mut self, before: Option<&Task>, after: Option<&Task>) {
        let Some(id) = before.or(after).map(|task| task.id) else { return };
        let service = |task: &Task| task.service;
        move_id(&mut self.service_tasks, id, before.and_then(service), after.and_then(service));
        let (old, new) = (before.and_then(Task::instance), after.and_then(Task::instance));
        move_id(&mut self.instance_tasks, id, old, new);
        if let (Some(before), Some(after)) = (before, after)
            && occupancy::is_same(before, after)
        {
            return;
        }
        if let Some((instance, task)) = before.and_then(|task| Some((task.instance()?, task))) {
            self.occupy(instance, |taken| taken.remove(task));
        }
        if let Some((instance, task)) = after.and_then(|task| Some((task.instance()?, task))) {
            self.occupy(instance, |taken| taken.add(task));
        }
    }

    fn occupy(&mut self, instance: InstanceId, change: impl FnOnce(&mut Occupancy)) {
        let mut taken = self.occupancy.get(&instance).cloned().unwrap_or_default();
        change(&mut taken);
        if taken.is_empty() {
            self.occupancy.remove_mut(&instance);
        } else {
            self.occupancy.insert_mut(instance, taken);
        }
    }

    pub(super) fn deployments(&mut self, before: Option<&Deployment>, after: Option<&Deployment>) {
        let Some(id) = before.or(after).map(|deployment| deployment.id) else { return };
        let service = |deployment: &Deployment| deployment.service;
        move_id(&mut self.service_deployments, id, before.map(service), after.map(service));
    }

    pub(super) fn service_revisions(
        &mut self,
        before: Option<&ServiceRevision>,
        after: Option<&ServiceRevision>,
    ) {
        let Some(id) = before.or(after).map(|revision| revision.id) else { return };
        let service = |revision: &ServiceRevision| revision.service;
        move_id(&mut self.service_revisions, id, before.map(service), after.map(service));
    }

    pub(super) fn credentials(&mut self, before: Option<&Credential>, after: Option<&Credential>) {
        before.map(|old| self.credential_hashes.remove_mut(&old.hash));
        if let Some(new) = after {
            self.credential_hashes.insert_mut(new.hash, new.id);
        }
    }
}

/// Takes the id out of one set and puts it into another. A set that is empty is not kept.
fn move_id<K: Eq + Hash + Copy, V: Ord + Copy>(
    sets: &mut Ids<K, V>,
    id: V,
    old: Option<K>,
    new: Option<K>,
) {
    if old == new {
        return;
    }
    if let Some(old) = old
        && let Some(set) = sets.get(&old).map(|set| set.remove(&id))
    {
        if set.is_empty() {
            sets.remove_mut(&old);
        } else {
            sets.insert_mut(old, set);
        }
    }
    if let Some(new) = new {
        let set = sets.get(&new).cloned().unwrap_or_default();
        sets.insert_mut(new, set.insert(id));
    }
}
