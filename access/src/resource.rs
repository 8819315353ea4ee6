//! What an action is about: one entity by its kind, cluster and name, with what policies may look at.

use std::collections::BTreeMap;
use std::fmt;

use model::{
    ClusterName, Credential, CredentialId, Family, Instance, InstanceId, Listener, RepositoryName,
    Revision, RouterId, Rule, Service, ServiceName, TargetGroup, Task, TaskDefinition, TaskId,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// Kinds of what can be asked about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ResourceKind {
            $($(#[$doc])* $name,)+
        }

        impl ResourceKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As the first part of a resource.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

kinds! {
    /// The installation as a whole.
    Installation = "installation",
    /// A cluster.
    Cluster = "cluster",
    /// An instance, in its cluster.
    Instance = "instance",
    /// A router.
    Router = "router",
    /// A revision of a task definition, or all of a family.
    TaskDefinition = "task-definition",
    /// A service, in its cluster.
    Service = "service",
    /// A task, in its cluster.
    Task = "task",
    /// A listener.
    Listener = "listener",
    /// A target group, in its cluster.
    TargetGroup = "target-group",
    /// A rule.
    Rule = "rule",
    /// A repository.
    Repository = "repository",
    /// A user, and the credentials that prove them.
    User = "user",
    /// A token that proves a user.
    Token = "token",
}

impl ResourceKind {
    /// As people write it: `task definition`.
    pub fn words(self) -> String {
        self.as_str().replace('-', " ")
    }

    /// The kind that people write so.
    pub fn of_words(words: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.words() == words)
    }

    /// Whether there is one in each cluster, so that a resource of it names its cluster.
    pub const fn is_in_cluster(self) -> bool {
        matches!(self, Self::Instance | Self::Service | Self::Task | Self::TargetGroup)
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an action is about. Written as `service/CLUSTER/NAME`, `repository/NAME`, or `*` for the installation as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// The cluster that it is in; None where its kind is in none, or where it is not known: written `*`.
    pub cluster: Option<ClusterName>,
    /// Its name or id. None: whichever of the kind, written `*`; who may on none of them is denied before anything else of
    /// a request is looked at.
    pub name: Option<String>,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
    /// What else is known of it by name, as the attributes of an instance.
    pub attributes: BTreeMap<String, String>,
}

impl Resource {
    fn new(kind: ResourceKind, cluster: Option<&ClusterName>, name: Option<String>) -> Self {
        let (tags, attributes) = (BTreeMap::new(), BTreeMap::new());
        Self { kind, cluster: cluster.cloned(), name, tags, attributes }
    }

    /// The installation as a whole.
    pub fn installation() -> Self {
        Self::any(ResourceKind::Installation)
    }

    /// Whichever of a kind.
    pub fn any(kind: ResourceKind) -> Self {
        Self::new(kind, None, None)
    }

    /// Whichever of a kind in a cluster.
    pub fn any_in(kind: ResourceKind, cluster: &ClusterName) -> Self {
        Self::new(kind, Some(cluster), None)
    }

    /// One of a kind that nothing more is known of than what it was called.
    pub fn unknown(kind: ResourceKind, name: &impl ToString) -> Self {
        Self::new(kind, None, Some(name.to_string()))
    }

    /// A cluster.
    pub fn cluster(name: &ClusterName) -> Self {
        Self::new(ResourceKind::Cluster, None, Some(name.to_string()))
    }

    /// An instance.
    pub fn instance(cluster: &ClusterName, id: InstanceId) -> Self {
        Self::new(ResourceKind::Instance, Some(cluster), Some(id.to_string()))
    }

    /// A router.
    pub fn router(id: RouterId) -> Self {
        Self::new(ResourceKind::Router, None, Some(id.to_string()))
    }

    /// One revision.
    pub fn task_definition(key: &Revision) -> Self {
        Self::new(ResourceKind::TaskDefinition, None, Some(key.to_string()))
    }

    /// All revisions of a family, those to come too.
    pub fn family(family: &Family) -> Self {
        Self::new(ResourceKind::TaskDefinition, None, Some(format!("{family}:*")))
    }

    /// A service.
    pub fn service(cluster: &ClusterName, name: &ServiceName) -> Self {
        Self::new(ResourceKind::Service, Some(cluster), Some(name.to_string()))
    }

    /// A task.
    pub fn task(cluster: &ClusterName, id: TaskId) -> Self {
        Self::new(ResourceKind::Task, Some(cluster), Some(id.to_string()))
    }

    /// A listener.
    pub fn listener(name: &str) -> Self {
        Self::new(ResourceKind::Listener, None, Some(name.to_owned()))
    }

    /// A repository.
    pub fn repository(name: &RepositoryName) -> Self {
        Self::new(ResourceKind::Repository, None, Some(name.to_string()))
    }

    /// A user by name.
    pub fn user(name: &str) -> Self {
        Self::new(ResourceKind::User, None, Some(name.to_owned()))
    }

    /// A token.
    pub fn token(id: CredentialId) -> Self {
        Self::new(ResourceKind::Token, None, Some(id.to_string()))
    }

    /// The repository's name, if it is one.
    pub fn repository_name(&self) -> Option<&str> {
        (self.kind == ResourceKind::Repository).then_some(self.name.as_deref()).flatten()
    }

    /// Whether it is the repository of that name.
    pub fn is_repository(&self, name: &RepositoryName) -> bool {
        self.repository_name() == Some(name.as_str())
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ResourceKind::Installation {
            return f.write_str("*");
        }
        write!(f, "{}/", self.kind)?;
        if self.kind.is_in_cluster() {
            write!(f, "{}/", self.cluster.as_ref().map_or("*", ClusterName::as_str))?;
        }
        f.write_str(self.name.as_deref().unwrap_or("*"))
    }
}

impl From<&model::Cluster> for Resource {
    fn from(cluster: &model::Cluster) -> Self {
        Self::cluster(&cluster.name)
    }
}

impl From<&Instance> for Resource {
    fn from(instance: &Instance) -> Self {
        let attributes = instance.attributes.clone();
        Self { attributes, ..Self::instance(&instance.cluster, instance.id) }
    }
}

impl From<&model::Router> for Resource {
    fn from(router: &model::Router) -> Self {
        Self::router(router.id)
    }
}

impl From<&TaskDefinition> for Resource {
    fn from(definition: &TaskDefinition) -> Self {
        Self::task_definition(&definition.key())
    }
}

impl From<&Service> for Resource {
    fn from(service: &Service) -> Self {
        Self::service(&service.cluster, &service.name)
    }
}

impl From<&Task> for Resource {
    fn from(task: &Task) -> Self {
        Self::task(&task.cluster, task.id)
    }
}

impl From<&Listener> for Resource {
    fn from(listener: &Listener) -> Self {
        Self::listener(&listener.name)
    }
}

impl From<&TargetGroup> for Resource {
    fn from(group: &TargetGroup) -> Self {
        let name = Some(group.name.to_string());
        Self::new(ResourceKind::TargetGroup, Some(&group.cluster), name)
    }
}

impl From<&Rule> for Resource {
    fn from(rule: &Rule) -> Self {
        Self::new(ResourceKind::Rule, None, Some(rule.id.to_string()))
    }
}

impl From<&Credential> for Resource {
    fn from(token: &Credential) -> Self {
        Self::token(token.id)
    }
}

impl From<&model::Repository> for Resource {
    fn from(repository: &model::Repository) -> Self {
        Self::repository(&repository.name)
    }
}
