//! The ARN of every entity that ECS, ECR or ELB knows, and back: derived from what the entity says of itself, so none is
//! kept. The account is the installation, the region a setting.
//!
//! The routers of an installation together are its one load balancer, as listeners and rules are the same on each of them;
//! its id is the installation's. A router by itself has no ARN, as no node of an ALB has one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, Instance};
use crate::definition::{Revision, TaskDefinition};
use crate::id::{
    DeploymentId, InstallationId, InstanceId, ListenerId, RuleId, TargetGroupId, TaskId,
};
use crate::image::Repository;
use crate::name::{ClusterName, Region, RepositoryName, ServiceName, TargetGroupName};
use crate::routing::{Listener, Rule, TargetGroup};
use crate::service::{Deployment, Service};
use crate::task::Task;

/// The name of an installation's one load balancer.
const LOAD_BALANCER: &str = "berth";

/// `arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME` and its like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// Where the installation says that it is.
    pub region: Region,
    /// The account.
    pub account: InstallationId,
    /// What it names.
    pub resource: ArnResource,
}

/// What an ARN names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ArnResource {
    /// ECS: a cluster.
    Cluster(ClusterName),
    /// ECS: a container instance.
    ContainerInstance(ClusterName, InstanceId),
    /// ECS: a revision of a task definition.
    TaskDefinition(Revision),
    /// ECS: a service.
    Service(ClusterName, ServiceName),
    /// ECS: a deployment of a service.
    ServiceDeployment(ClusterName, ServiceName, DeploymentId),
    /// ECS: a task.
    Task(ClusterName, TaskId),
    /// ECR: a repository.
    Repository(RepositoryName),
    /// ELB: the load balancer that the routers are.
    LoadBalancer,
    /// ELB: a listener of it.
    Listener(ListenerId),
    /// ELB: a rule of a listener.
    ListenerRule(ListenerId, RuleId),
    /// ELB: a target group.
    TargetGroup(TargetGroupName, TargetGroupId),
}

impl From<&Cluster> for ArnResource {
    fn from(cluster: &Cluster) -> Self {
        Self::Cluster(cluster.name.clone())
    }
}

impl From<&Instance> for ArnResource {
    fn from(instance: &Instance) -> Self {
        Self::ContainerInstance(instance.cluster.clone(), instance.id)
    }
}

impl From<&TaskDefinition> for ArnResource {
    fn from(definition: &TaskDefinition) -> Self {
        Self::TaskDefinition(definition.key())
    }
}

impl From<&Service> for ArnResource {
    fn from(service: &Service) -> Self {
        Self::Service(service.cluster.clone(), service.name.clone())
    }
}

/// A deployment with its service, which has the names.
impl From<(&Service, &Deployment)> for ArnResource {
    fn from((service, deployment): (&Service, &Deployment)) -> Self {
        Self::ServiceDeployment(service.cluster.clone(), service.name.clone(), deployment.id)
    }
}

impl From<&Task> for ArnResource {
    fn from(task: &Task) -> Self {
        Self::Task(task.cluster.clone(), task.id)
    }
}

impl From<&Repository> for ArnResource {
    fn from(repository: &Repository) -> Self {
        Self::Repository(repository.name.clone())
    }
}

impl From<&Listener> for ArnResource {
    fn from(listener: &Listener) -> Self {
        Self::Listener(listener.id)
    }
}

impl From<&Rule> for ArnResource {
    fn from(rule: &Rule) -> Self {
        Self::ListenerRule(rule.listener, rule.id)
    }
}

impl From<&TargetGroup> for ArnResource {
    fn from(group: &TargetGroup) -> Self {
        Self::TargetGroup(group.name.clone(), group.id)
    }
}

impl ArnResource {
    /// The AWS service that it belongs to.
    fn service(&self) -> &'static str {
        match self {
            Self::Cluster(_)
            | Self::ContainerInstance(_, _)
            | Self::TaskDefinition(_)
            | Self::Service(_, _)
            | Self::ServiceDeployment(_, _, _)
            | Self::Task(_, _) => "ecs",
            Self::Repository(_) => "ecr",
            Self::LoadBalancer
            | Self::Listener(_)
            | Self::ListenerRule(_, _)
            | Self::TargetGroup(_, _) => "elasticloadbalancing",
        }
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, account, resource } = self;
        write!(f, "arn:aws:{}:{region}:{account}:", resource.service())?;
        match resource {
            ArnResource::Cluster(name) => write!(f, "cluster/{name}"),
            ArnResource::ContainerInstance(cluster, id) => {
                write!(f, "container-instance/{cluster}/{id}")
            }
            ArnResource::TaskDefinition(key) => write!(f, "task-definition/{key}"),
            ArnResource::Service(cluster, name) => write!(f, "service/{cluster}/{name}"),
            ArnResource::ServiceDeployment(cluster, name, id) => {
                write!(f, "service-deployment/{cluster}/{name}/{id}")
            }
            ArnResource::Task(cluster, id) => write!(f, "task/{cluster}/{id}"),
            ArnResource::Repository(name) => write!(f, "repository/{name}"),
            ArnResource::LoadBalancer => write!(f, "loadbalancer/app/{LOAD_BALANCER}/{account}"),
            ArnResource::Listener(id) => write!(f, "listener/app/{LOAD_BALANCER}/{account}/{id}"),
            ArnResource::ListenerRule(listener, id) => {
                write!(f, "listener-rule/app/{LOAD_BALANCER}/{account}/{listener}/{id}")
            }
            ArnResource::TargetGroup(name, id) => write!(f, "targetgroup/{name}/{id}"),
        }
    }
}

/// Text that is no ARN of an entity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ArnError(pub(crate) String);

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        read(text).ok_or_else(|| ArnError(text.chars().take(300).collect()))
    }
}

fn read(text: &str) -> Option<Arn> {
    let (service, rest) = text.strip_prefix("arn:aws:")?.split_once(':')?;
    let (region, rest) = rest.split_once(':')?;
    let (account, rest) = rest.split_once(':')?;
    let (kind, path) = rest.split_once('/')?;
    let account: InstallationId = account.parse().ok()?;
    let resource = resource(kind, path, account)?;
    let arn = Arn { region: region.parse().ok()?, account, resource };
    (arn.resource.service() == service).then_some(arn)
}

fn resource(kind: &str, path: &str, account: InstallationId) -> Option<ArnResource> {
    // A repository's name may hold slashes.
    if kind == "repository" {
        return Some(ArnResource::Repository(path.parse().ok()?));
    }
    let parts: Vec<&str> = path.split('/').collect();
    let own = |name: &str, id: &str| name == LOAD_BALANCER && id == account.to_string();
    Some(match (kind, parts.as_slice()) {
        ("cluster", [name]) => ArnResource::Cluster(name.parse().ok()?),
        ("container-instance", [cluster, id]) => {
            ArnResource::ContainerInstance(cluster.parse().ok()?, id.parse().ok()?)
        }
        ("task-definition", [key]) => ArnResource::TaskDefinition(key.parse().ok()?),
        ("service", [cluster, name]) => {
            ArnResource::Service(cluster.parse().ok()?, name.parse().ok()?)
        }
        ("service-deployment", [cluster, name, id]) => ArnResource::ServiceDeployment(
            cluster.parse().ok()?,
            name.parse().ok()?,
            id.parse().ok()?,
        ),
        ("task", [cluster, id]) => ArnResource::Task(cluster.parse().ok()?, id.parse().ok()?),
        ("loadbalancer", ["app", name, id]) if own(name, id) => ArnResource::LoadBalancer,
        ("listener", ["app", name, id, listener]) if own(name, id) => {
            ArnResource::Listener(listener.parse().ok()?)
        }
        ("listener-rule", ["app", name, id, listener, rule]) if own(name, id) => {
            ArnResource::ListenerRule(listener.parse().ok()?, rule.parse().ok()?)
        }
        ("targetgroup", [name, id]) => {
            ArnResource::TargetGroup(name.parse().ok()?, id.parse().ok()?)
        }
        _ => return None,
    })
}

impl Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Arn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
