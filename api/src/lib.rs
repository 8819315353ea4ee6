//! The admin API as types: what is asked and what is answered, by noun. Server, command and tests share them, so what one
//! writes the others read. Field names and words are those of ECS and ELB; an enum is an enum on the wire, in one spelling.
//!
//! Answers may gain fields, so what reads them passes over fields that it does not know. Requests are closed: a field that
//! the server does not know is refused, so that nothing that somebody wrote is silently dropped.

#[cfg(feature = "client")]
pub mod client;
pub mod cluster;
pub mod deploy;
pub mod event;
pub mod header;
pub mod image;
pub mod installation;
pub mod instance;
mod json_cause;
pub mod page;
pub mod problem;
pub mod router;
pub mod routing;
pub mod service;
mod service_problem;
mod service_revision;
pub mod status;
pub mod task;
pub mod task_definition;
pub mod token;

pub use cluster::{Cluster, ClusterQuery, default_cluster};
pub use deploy::{DeployRequest, DeployResponse, HealthCheckSettings, InferredValue};
pub use event::{ClusterEvent, InstanceEvent};
pub use header::{EntityTag, IdempotencyKey, IfMatch};
pub use image::{
    DamagedBlob, ImageVerification, LastImageVerification, ListTagsQuery, Platform, Repository, Tag,
};
pub use installation::{Done, Remaining, StopQuery};
pub use instance::{CreateJoinTokenRequest, Disk, Instance, JoinToken, UpdateInstanceRequest};
pub use json_cause::json_cause;
pub use page::{Limit, ListQuery, NextToken, Page, PageQuery};
pub use problem::{Problem, ProblemCode};
pub use router::Router;
pub use routing::{
    CreateRuleRequest, FixedResponse, Listener, Rule, RuleAction, Target, TargetGroup, TargetHealth,
};
pub use service::{
    CreateServiceRequest, Deployment, DeploymentStatus, ListEventsQuery, ListServicesQuery,
    LoadBalancer, ProvenRevision, RollbackRequest, Service, ServiceEvent, UpdateServiceRequest,
};
pub use service_problem::ServiceProblem;
pub use service_revision::{
    RevisionAspect, RevisionImage, RevisionLoadBalancer, RevisionOutcome, ServiceRevision,
};
pub use status::{RegistryDisk, Status};
pub use task::{
    Container, HealthStatus, ListTasksQuery, LogsQuery, NetworkBinding, RunTaskRequest,
    RunTaskResponse, StopTaskRequest, Task,
};
pub use task_definition::{
    Amount, LeftOutField, ListTaskDefinitionsQuery, RegisterTaskDefinitionQuery,
    RegisterTaskDefinitionRequest, TaskDefinition, TaskDefinitionReference,
};
pub use token::{Token, TokenKind};
