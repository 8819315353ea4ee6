//! Everything that the control plane decides on, at one revision.

use std::sync::Arc;

use rpds::{HashTrieMapSync, RedBlackTreeMapSync, RedBlackTreeSetSync};

use crate::access::{Credential, JoinToken};
use crate::cluster::{Cluster, Instance, Router};
use crate::definition::{Revision, TaskDefinition};
use crate::digest::Digest;
use crate::history::History;
use crate::id::{
    CredentialId, DeploymentId, InstallationId, InstanceId, JoinTokenId, ListenerId, RouterId,
    RuleId, ServiceId, StateRevision, TargetGroupId, TaskId,
};
use crate::image::{Repository, Tag};
use crate::name::{ClusterName, Family, RepositoryName, ServiceName, TagName, TargetGroupName};
use crate::resources::Resources;
use crate::routing::{Listener, Rule, TargetGroup};
use crate::service::{Deployment, Service};
use crate::task::Task;

mod apply;
mod rows;

pub use rows::{RowError, RowKey, newest_form};

type Table<K, V> = RedBlackTreeMapSync<K, Arc<V>>;

/// What the control plane decides on, at one revision. Cloning is constant time: clones share what they agree in, so a
/// reader keeps a consistent snapshot for as long as it likes.
#[derive(Debug, Clone, Default)]
pub struct State {
    revision: StateRevision,
    installation: Option<InstallationId>,
    clusters: Table<ClusterName, Cluster>,
    instances: Table<InstanceId, Instance>,
    routers: Table<RouterId, Router>,
    credentials: Table<CredentialId, Credential>,
    join_tokens: Table<JoinTokenId, JoinToken>,
    definitions: Table<Revision, TaskDefinition>,
    services: Table<ServiceId, Service>,
    deployments: Table<DeploymentId, Deployment>,
    tasks: Table<TaskId, Task>,
    listeners: Table<ListenerId, Listener>,
    target_groups: Table<TargetGroupId, TargetGroup>,
    rules: Table<RuleId, Rule>,
    repositories: Table<RepositoryName, Repository>,
    tags: Table<(RepositoryName, TagName), Tag>,
    index: Index,
}

/// Found by something else than the key. Derived: rebuilt from the tables, never written.
#[derive(Debug, Clone, Default)]
struct Index {
    service_names: HashTrieMapSync<(ClusterName, ServiceName), ServiceId>,
    instance_tasks: HashTrieMapSync<InstanceId, RedBlackTreeSetSync<TaskId>>,
    service_tasks: HashTrieMapSync<ServiceId, RedBlackTreeSetSync<TaskId>>,
    credential_hashes: HashTrieMapSync<Digest, CredentialId>,
}

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
        self.installation
    }

    /// A cluster by name.
    pub fn cluster(&self, name: &ClusterName) -> Option<&Cluster> {
        self.clusters.get(name).map(Arc::as_ref)
    }

    /// All clusters by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values().map(Arc::as_ref)
    }

    /// An instance by id.
    pub fn instance(&self, id: InstanceId) -> Option<&Instance> {
        self.instances.get(&id).map(Arc::as_ref)
    }

    /// All instances, oldest first.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values().map(Arc::as_ref)
    }

    /// A router by id.
    pub fn router(&self, id: RouterId) -> Option<&Router> {
        self.routers.get(&id).map(Arc::as_ref)
    }

    /// All registered routers, oldest first.
    pub fn routers(&self) -> impl Iterator<Item = &Router> {
        self.routers.values().map(Arc::as_ref)
    }

    /// A credential by id.
    pub fn credential(&self, id: CredentialId) -> Option<&Credential> {
        self.credentials.get(&id).map(Arc::as_ref)
    }

    /// A credential by the SHA-256 of its secret. Looking up by hash tells an attacker's clock nothing.
    pub fn credential_by_hash(&self, hash: &Digest) -> Option<&Credential> {
        self.credential(*self.index.credential_hashes.get(hash)?)
    }

    /// All credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &Credential> {
        self.credentials.values().map(Arc::as_ref)
    }

    /// A join token by id.
    pub fn join_token(&self, id: JoinTokenId) -> Option<&JoinToken> {
        self.join_tokens.get(&id).map(Arc::as_ref)
    }

    /// All join tokens.
    pub fn join_tokens(&self) -> impl Iterator<Item = &JoinToken> {
        self.join_tokens.values().map(Arc::as_ref)
    }

    /// A task definition by family and revision.
    pub fn task_definition(&self, key: &Revision) -> Option<&TaskDefinition> {
        self.definitions.get(key).map(Arc::as_ref)
    }

    /// All task definitions by family and revision.
    pub fn task_definitions(&self) -> impl Iterator<Item = &TaskDefinition> {
        self.definitions.values().map(Arc::as_ref)
    }

    /// The newest revision of a family.
    pub fn latest_task_definition(&self, family: &Family) -> Option<&TaskDefinition> {
        let all = Revision { family: family.clone(), number: 0 }..=Revision {
            family: family.clone(),
            number: u32::MAX,
        };
        self.definitions.range(all).next_back().map(|(_, definition)| definition.as_ref())
    }

    /// A service by id.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(&id).map(Arc::as_ref)
    }

    /// A service by name.
    pub fn service_named(&self, cluster: &ClusterName, name: &ServiceName) -> Option<&Service> {
        self.service(*self.index.service_names.get(&(cluster.clone(), name.clone()))?)
    }

    /// All services, oldest first.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().map(Arc::as_ref)
    }

    /// A deployment by id.
    pub fn deployment(&self, id: DeploymentId) -> Option<&Deployment> {
        self.deployments.get(&id).map(Arc::as_ref)
    }

    /// All deployments that still matter, oldest first.
    pub fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        self.deployments.values().map(Arc::as_ref)
    }

    /// A task by id.
    pub fn task(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id).map(Arc::as_ref)
    }

    /// All tasks that something still decides on, oldest first.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().map(Arc::as_ref)
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

    /// What the tasks of an instance reserve together.
    pub fn reserved_on(&self, id: InstanceId) -> Resources {
        self.tasks_on(id)
            .filter(|task| task.reserves())
            .fold(Resources::default(), |sum, task| sum.plus(&task.resources))
    }

    /// What an instance has left.
    pub fn free_on(&self, id: InstanceId) -> Resources {
        self.instance(id).map_or_else(Resources::default, |instance| {
            instance.capacity.minus(&self.reserved_on(id))
        })
    }

    /// A listener by id.
    pub fn listener(&self, id: ListenerId) -> Option<&Listener> {
        self.listeners.get(&id).map(Arc::as_ref)
    }

    /// All listeners, oldest first.
    pub fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners.values().map(Arc::as_ref)
    }

    /// A target group by id.
    pub fn target_group(&self, id: TargetGroupId) -> Option<&TargetGroup> {
        self.target_groups.get(&id).map(Arc::as_ref)
    }

    /// A target group by name.
    pub fn target_group_named(
        &self,
        cluster: &ClusterName,
        name: &TargetGroupName,
    ) -> Option<&TargetGroup> {
        self.target_groups().find(|group| group.cluster == *cluster && group.name == *name)
    }

    /// All target groups, oldest first.
    pub fn target_groups(&self) -> impl Iterator<Item = &TargetGroup> {
        self.target_groups.values().map(Arc::as_ref)
    }

    /// A rule by id.
    pub fn rule(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(&id).map(Arc::as_ref)
    }

    /// All rules, oldest first.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.values().map(Arc::as_ref)
    }

    /// A repository by name.
    pub fn repository(&self, name: &RepositoryName) -> Option<&Repository> {
        self.repositories.get(name).map(Arc::as_ref)
    }

    /// All repositories by name.
    pub fn repositories(&self) -> impl Iterator<Item = &Repository> {
        self.repositories.values().map(Arc::as_ref)
    }

    /// A tag by repository and name.
    pub fn tag(&self, repository: &RepositoryName, tag: &TagName) -> Option<&Tag> {
        self.tags.get(&(repository.clone(), tag.clone())).map(Arc::as_ref)
    }

    /// The tags of a repository in byte order.
    pub fn tags(&self, repository: &RepositoryName) -> impl Iterator<Item = &Tag> {
        let repository = repository.clone();
        let lowest: TagName = "0".parse().expect("`0` is a tag: digits sort before all others");
        self.tags
            .range((repository.clone(), lowest)..)
            .take_while(move |((name, _), _)| *name == repository)
            .map(|(_, tag)| tag.as_ref())
    }
}
