//! Why a Change does not fit, as values; what is said of each stands with all other sentences.

use std::net::{IpAddr, Ipv4Addr};

use crate::definition::{DefinitionError, Revision};
use crate::id::{InstanceId, RuleId, TaskId};
use crate::name::{ClusterName, ContainerName, ServiceName};
use crate::resources::Shortfall;
use crate::task::TaskStatus;

/// Why a Change does not fit. Each is said so that a person can act on it.
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
        status: ActualStatus,
    },
    /// Somebody else uses it.
    InUse {
        /// `service`, `address`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
        /// Who uses it.
        by: User,
    },
    /// A revision that is not the next one: somebody else was faster.
    NotNext {
        /// What was given.
        given: Revision,
        /// What comes next.
        next: Revision,
    },
    /// A service revision that is not the next one of its service: somebody else was faster.
    NotNextServiceRevision {
        /// The service.
        service: ServiceName,
        /// What was given.
        given: u32,
        /// What comes next.
        next: u32,
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
        /// The service whose revision it comes with; None for one that somebody made by itself.
        service: Option<ServiceName>,
        /// What they share.
        overlap: RuleOverlap,
    },
    /// A join token that is over.
    JoinTokenOver(JoinTokenEnd),
    /// A value that makes no sense.
    Invalid(InvalidChange),
}

/// How a join token has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinTokenEnd {
    /// Its time is over.
    Expired,
    /// It has been used as often as it may be.
    UsedUp,
}

/// What an entity is that should be something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActualStatus {
    /// A deployment that does not count any more.
    Superseded,
    /// A deployment that is complete.
    Completed,
    /// A deployment that failed.
    Failed,
    /// A deployment that is not the one that counts.
    NotPrimary,
    /// A service that is wanted: it is drained before it is removed.
    ActiveService,
    /// A service that was removed.
    DrainingService,
    /// An instance that takes no tasks.
    DrainingInstance,
    /// A task that has its place.
    Placed,
    /// A task that has no instance.
    Unplaced,
    /// A task that has not stopped yet.
    NotStopped(TaskStatus),
}

/// Who uses something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// A task.
    Task(TaskId),
    /// A service.
    Service(ServiceName),
    /// A rule.
    Rule(RuleId),
}

/// What two rules of one listener share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleOverlap {
    /// Their priority.
    Priority(u16),
    /// A host and a path that both match.
    HostAndPath {
        /// The host.
        host: String,
        /// The path.
        path: String,
    },
}

/// A value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidChange {
    /// A service revision that does not name one digest for each container.
    Images(Revision),
    /// A service revision of another service than its deployment.
    OtherService,
    /// A deployment would be watched for longer than it may be.
    BakeTime {
        /// For how long, in seconds.
        seconds: u32,
        /// How long it may be.
        most: u32,
    },
    /// An address that no host can have, allowed to an instance.
    HostAddress(IpAddr),
    /// An update that names no service.
    NoService,
    /// More tasks than ECS lets a service have.
    DesiredCount {
        /// What was asked for.
        desired: u32,
        /// What there may be.
        most: u32,
    },
    /// Percentages out of their range.
    Percentages {
        /// `minimumHealthyPercent`.
        minimum: u32,
        /// `maximumPercent`.
        maximum: u32,
    },
    /// Percentages with which no task could ever be replaced.
    NoLegalStep,
    /// A revision that maps no port for the traffic that a service takes.
    NoTrafficPort {
        /// The revision.
        task_definition: Revision,
        /// The container that takes the traffic.
        container: ContainerName,
        /// The port that it should map.
        port: u16,
        /// The service.
        service: ServiceName,
    },
    /// An instance of another cluster.
    OtherCluster {
        /// The instance.
        instance: InstanceId,
        /// Its cluster.
        cluster: ClusterName,
        /// The task's.
        wanted: ClusterName,
    },
    /// An address that is not for tasks of the instance.
    Address {
        /// The address.
        address: Ipv4Addr,
        /// The instance.
        instance: InstanceId,
    },
    /// A status that no agent may report.
    Report(TaskStatus),
    /// A task with other containers than its definition.
    Containers {
        /// The task.
        task: TaskId,
        /// What it is a copy of.
        task_definition: Revision,
    },
    /// A report of a task that is another instance's.
    OtherInstance {
        /// The task.
        task: TaskId,
        /// Who reports.
        instance: InstanceId,
    },
    /// Something of a target group or a rule.
    Routing(InvalidRouting),
}

/// What makes no sense in a target group or a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidRouting {
    /// A health check with an interval, timeout or threshold of zero.
    HealthCheckZero,
    /// A health check's path that does not begin with `/`.
    HealthCheckPath(String),
    /// A fixed response that is neither success nor a failure.
    FixedResponse(u16),
    /// A fixed response with a content type that has control characters, which would end its header, or a body with NUL.
    FixedResponseText,
    /// A rule's priority out of its range.
    Priority(u16),
    /// More hosts and paths than a rule may have.
    Patterns {
        /// How many it has.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// What is not a host that a rule can match.
    HostPattern(String),
    /// What is not a path that a rule can match.
    PathPattern(String),
    /// A path that no request has.
    PathNeverMatches(String),
}

impl From<InvalidChange> for Refusal {
    fn from(invalid: InvalidChange) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<InvalidRouting> for Refusal {
    fn from(invalid: InvalidRouting) -> Self {
        Self::Invalid(InvalidChange::Routing(invalid))
    }
}
