//! Every way in which [`State`](crate::State) may change, by noun.

use serde::{Deserialize, Serialize};

use crate::id::InstallationId;

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

/// Declares every noun: what changes of it are called, and that each is a Change.
macro_rules! nouns {
    ($($(#[$doc:meta])* $noun:ident($change:ident),)+) => {
        /// A fact to record. It guards only the entities that it names: that the rest of State has moved on refuses
        /// nothing.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Change {
            /// Names the installation; the first Change of all. Refused when it has a name.
            Install(InstallationId),
            $($(#[$doc])* $noun($change),)+
        }

        $(impl From<$change> for Change {
            fn from(change: $change) -> Self {
                Self::$noun(change)
            }
        })+
    };
}

nouns! {
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
