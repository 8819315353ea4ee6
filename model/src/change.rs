//! Every way in which [`State`](crate::State) may change, by noun, and why one may be refused.

use serde::{Deserialize, Serialize};

use crate::definition::{DefinitionError, Revision};
use crate::id::{InstallationId, InstanceId, RuleId};
use crate::name::{ClusterName, ServiceName};
use crate::resources::Shortfall;

mod access;
mod cluster;
mod definition;
mod deployment;
mod repository;
mod routing;
mod service;
mod task;

pub use access::AccessChange;
pub use cluster::{ClusterChange, InstanceChange, InstanceReport, RouterChange};
pub use definition::TaskDefinitionChange;
pub use deployment::DeploymentChange;
pub use repository::RepositoryChange;
pub use routing::RoutingChange;
pub use service::{ServiceChange, ServiceUpdate};
pub use task::{TaskChange, TaskReport};

/// A fact to record. It guards only the entities that it names: that the rest of State has moved on refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Names the installation; the first Change of all. Refused when it has a name.
    Install(InstallationId),
    /// Of a cluster.
    Cluster(ClusterChange),
    /// Of an instance.
    Instance(InstanceChange),
    /// Of a router.
    Router(RouterChange),
    /// Of credentials and join tokens.
    Access(AccessChange),
    /// Of a family of task definitions.
    TaskDefinition(TaskDefinitionChange),
    /// Of a service.
    Service(ServiceChange),
    /// Of a deployment.
    Deployment(DeploymentChange),
    /// Of a task.
    Task(TaskChange),
    /// Of listeners, target groups and rules.
    Routing(RoutingChange),
    /// Of a repository and its tags.
    Repository(RepositoryChange),
}

macro_rules! from_nouns {
    ($($noun:ident($change:ident),)+) => {$(
        impl From<$change> for Change {
            fn from(change: $change) -> Self {
                Self::$noun(change)
            }
        }
    )+};
}

from_nouns! {
    Cluster(ClusterChange),
    Instance(InstanceChange),
    Router(RouterChange),
    Access(AccessChange),
    TaskDefinition(TaskDefinitionChange),
    Service(ServiceChange),
    Deployment(DeploymentChange),
    Task(TaskChange),
    Routing(RoutingChange),
    Repository(RepositoryChange),
}

/// How a join token has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinTokenEnd {
    /// Its time is over.
    Expired,
    /// It has been used as often as it may be.
    UsedUp,
}

/// Why a Change does not fit. Each is a sentence that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An entity that the Change names is not there.
    NotFound {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
    /// An entity that should be new is there.
    Exists {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
    /// The entity is not in the status that the Change needs.
    WrongStatus {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
        /// What it is.
        status: String,
    },
    /// Somebody else uses it.
    InUse {
        /// `service`, `address`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
        /// Who uses it.
        by: String,
    },
    /// A revision that is not the next one: somebody else was faster.
    NotNext {
        /// What was given.
        given: Revision,
        /// What comes next.
        next: Revision,
    },
    /// A task definition that cannot be.
    Definition {
        /// The family.
        family: String,
        /// What is wrong with it.
        #[source]
        source: DefinitionError,
    },
    /// The instance has too little left.
    NoRoom {
        /// The instance.
        instance: InstanceId,
        /// In which dimensions.
        shortfalls: Vec<Shortfall>,
    },
    /// A service's name is taken.
    ServiceExists {
        /// The cluster.
        cluster: ClusterName,
        /// The name.
        name: ServiceName,
    },
    /// A rule that would never be reached, or whose order is not defined.
    RuleConflict {
        /// The other rule.
        other: RuleId,
        /// What they share.
        why: String,
    },
    /// A join token that is over.
    JoinTokenOver(JoinTokenEnd),
    /// A value that makes no sense.
    Invalid(String),
}
