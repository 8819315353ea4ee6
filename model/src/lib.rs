//! The vocabulary of Berth: ids, names, entities, [`State`], [`Change`], [`Observed`] and what each peer should see.
//!
//! Nothing here does I/O, awaits, reads a clock or draws a random number: time and randomness are arguments, so
//! every decision that is built on these types replays from its inputs alone. Words are those of ECS, ALB and OCI.

pub mod access;
pub mod arn;
mod backoff;
pub mod batch;
mod chain;
pub mod change;
mod clean;
pub mod cluster;
pub mod definition;
pub mod digest;
pub mod docker;
pub mod history;
pub mod id;
pub mod image;
pub mod limits;
pub mod name;
pub mod observed;
pub mod placement;
pub mod refusal;
pub mod resources;
pub mod routing;
mod row;
#[cfg(feature = "schema")]
mod schema;
pub mod sentence;
pub mod service;
pub mod state;
pub mod stop;
pub mod task;
pub mod time;
pub mod view;

pub use access::{Credential, CredentialKind, CredentialUse, JoinToken, PeerRole, Principal};
pub use arn::{Arn, ArnResource};
pub use backoff::Backoff;
pub use batch::{Batch, CommitError, Precondition, RowGuard, RowWrite, Unmet};
pub use chain::chain;
pub use change::{
    AccessChange, Change, ClusterChange, DeploymentChange, InstanceChange, RepositoryChange,
    RouterChange, RoutingChange, ServiceChange, TaskChange, TaskDefinitionChange,
};
pub use clean::clean_text;
pub use cluster::{
    Cluster, HostIdentity, Installation, Instance, InstanceStatus, Platform, Router, Subnet,
};
pub use definition::{
    ContainerDefinition, KeyValue, PortMapping, RestartPolicy, Revision, TaskDefinition,
    TransportProtocol,
};
pub use digest::Digest;
pub use docker::{ContainerId, ImageId};
pub use history::{
    AuditEvent, AuditOutcome, EventKind, History, HistoryPlace, HistoryQuery, InstanceEvent,
    InstanceEventKind,
};
pub use id::{
    ClusterId, CredentialId, DeploymentId, Epoch, IdPrefix, InstallationId, InstanceId,
    JoinTokenId, ListenerId, RouterId, RuleId, ServiceId, ServiceRevisionId, StateRevision,
    TargetGroupId, TaskId,
};
pub use image::{ImageReference, PinnedImage, Reference, Repository, Tag, TagKey};
pub use name::{
    ClusterName, ContainerName, Family, NameError, Region, RepositoryName, ServiceName, TagName,
    TargetGroupName,
};
pub use observed::{DiskSeen, Lease, LeaseTimes, Observed};
pub use placement::{FilterReason, FilteredInstances, PlacementFailure};
pub use refusal::{
    ActualStatus, InvalidChange, InvalidRouting, JoinTokenEnd, Refusal, RuleOverlap, User,
};
pub use resources::{Dimension, Resources, Shortfall};
pub use routing::{
    Action, Conditions, HealthCheck, HealthCheckProtocol, HttpMatcher, Listener, Rule, TargetGroup,
};
pub use service::{
    CircuitBreaker, Deployment, DeploymentCause, DeploymentConfiguration, DeploymentFailure,
    DeploymentStage, LoadBalancer, NewDeployment, NewService, RevisionOrigin, RolledOut,
    RolloutState, Route, SchedulingStrategy, Service, ServiceRevision, ServiceStatus,
};
pub use state::{RowKey, State, Touched};
pub use stop::{StopCause, StopCode, Stopped};
pub use task::{
    ContainerOverride, DesiredStatus, NewTask, Overrides, Placement, PortBinding, Task,
    TaskContainer, TaskPhase, TaskStatus,
};
pub use time::{Clock, Timestamp};
pub use view::{AgentView, AssignedContainer, AssignedTask, InstanceView, RouterView, Wanted};
