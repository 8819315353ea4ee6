//! What can be done with an installation, between State and whoever asks: each operation once, as a pure decision, and one
//! way to a commit.
//!
//! A [`Request`] names its row in the table of operations, says what it is about, and decides on snapshots, time and
//! randomness that are given to it. [`Control`] authorises it, has the writer authorise it once more on the State that its
//! batch meets, commits it together with who asked for it, and forms the answer from what was committed. So a right that
//! ends while a request is under way ends the request, and no change is made that nobody is known to have asked for.
//!
//! Nothing here knows a runtime, HTTP or the store: the server around it is a [`Backend`].

mod audit;
mod caller;
mod cluster;
mod context;
mod control;
mod deploy;
mod deployment;
mod describe;
mod ecs;
mod entity_tag;
mod event;
mod event_list;
mod find;
mod image;
mod installation;
mod instance;
mod join_token;
pub mod operation;
mod page;
pub mod refused;
mod request;
mod resolve;
mod router;
mod routing;
mod run_task;
mod sentence;
mod service;
mod service_revision;
mod status;
mod stopped;
mod task;
mod task_definition;
mod token;

pub use caller::{Caller, Permission, request_id};
pub use cluster::ListClusters;
pub use context::{Context, Past, Setup, View};
pub use control::{Backend, Control, Write};
pub use deploy::DeployService;
pub use entity_tag::Tagged;
pub use event::ListServiceEvents;
pub use event_list::{ListClusterEvents, ListInstanceEvents};
pub use image::{GetImageVerification, ListRepositories, ListTags, VerifyImages};
pub use installation::{GetStopProgress, ResumeInstallation, StopInstallation};
pub use instance::{GetInstance, ListInstances, RemoveInstance, UpdateInstance};
pub use join_token::CreateJoinToken;
pub use operation::Operation;
pub use refused::Refused;
pub use request::{Decision, Request, decide};
pub use router::{ListRouters, RemoveRouter};
pub use routing::{CreateRule, DeleteRule, ListListeners, ListRules, ListTargetGroups};
pub use run_task::RunTask;
pub use service::{
    CreateService, DeleteService, GetService, ListServices, NamedService, RollbackService,
    UpdateService,
};
pub use service_revision::ListServiceRevisions;
pub use status::GetStatus;
pub use task::{GetTask, GetTaskLogs, ListTasks, LogSource, StopTask};
pub use task_definition::{GetTaskDefinition, ListTaskDefinitions, RegisterTaskDefinition};
pub use token::{ListTokens, RevokeToken};

#[cfg(test)]
mod tests;
