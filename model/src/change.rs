//! Every way in which [`State`](crate::State) may change, and why one may be refused.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::access::{Credential, JoinToken};
use crate::cluster::{Cluster, HostIdentity, Instance, InstanceStatus, Platform, Router, Subnet};
use crate::definition::{DefinitionError, Revision, TaskDefinition};
use crate::digest::Digest;
use crate::id::{
    CredentialId, DeploymentId, InstallationId, InstanceId, JoinTokenId, RouterId, RuleId,
    ServiceId, TargetGroupId, TaskId,
};
use crate::image::{Repository, Tag};
use crate::name::{ClusterName, ContainerName, RepositoryName, ServiceName, TagName};
use crate::resources::{Resources, Shortfall};
use crate::routing::{Listener, Rule, TargetGroup};
use crate::service::{Deployment, DeploymentConfiguration, Service};
use crate::task::{Placement, StopCode, Task, TaskContainer, TaskStatus};

/// A fact to record. It guards only the entities that it names: that the rest of State has moved on refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Names the installation; the first Change of all. Refused when it has a name.
    Install(InstallationId),
    /// A new cluster. Refused when the name is taken.
    CreateCluster(Cluster),

    /// An agent joins or comes back: makes the instance, or updates what its host reports. Status, subnet and cursors of
    /// a known instance stay. Recording what is known touches nothing.
    RegisterInstance(Instance),
    /// What a known agent's host reports now.
    ReportInstance(InstanceReport),
    /// Gives an instance its subnet. Refused while tasks of it hold addresses of another one.
    AssignSubnet {
        /// The instance.
        instance: InstanceId,
        /// Its subnet from now on.
        subnet: Subnet,
    },
    /// ACTIVE or DRAINING.
    SetInstanceStatus {
        /// The instance.
        instance: InstanceId,
        /// People's wish.
        status: InstanceStatus,
    },
    /// An instance that will not come back. Refused while a task of it has not stopped: each is lost first.
    RemoveInstance(InstanceId),
    /// A router joins or comes back with another version.
    RegisterRouter(Router),
    /// A router that will not come back; addresses no longer wait for it.
    RemoveRouter(RouterId),

    /// A secret that proves somebody.
    CreateCredential(Credential),
    /// The end of one.
    RevokeCredential(CredentialId),
    /// A token to join with.
    CreateJoinToken(JoinToken),
    /// One use of it. Refused when it has ended or is used up.
    UseJoinToken(JoinTokenId),

    /// A new revision: one more than the family's last, else refused.
    RegisterTaskDefinition(TaskDefinition),

    /// A new service, without a deployment yet. Refused when the name is taken or what it names does not exist.
    CreateService(Service),
    /// New settings of a service. A new revision takes a deployment of its own.
    UpdateService(ServiceUpdate),
    /// People no longer want it: its status becomes DRAINING, its tasks are stopped, then it goes.
    DrainService(ServiceId),
    /// It has no task and no rule left: removes it and the target groups that only it uses.
    RemoveService(ServiceId),
    /// Records that these digests need no deployment, since they are what runs.
    NoteTried {
        /// The service.
        service: ServiceId,
        /// By container.
        digests: BTreeMap<ContainerName, Digest>,
    },
    /// Why tasks of the service cannot be placed; None when they can again.
    SetPlacementFailure {
        /// The service.
        service: ServiceId,
        /// A sentence for people.
        reason: Option<String>,
    },

    /// Starts a roll-out and makes it the one that counts. The one before is superseded. Writes `last_tried` unless it
    /// is a rollback. Traffic follows a container's only port where the new revision moves it.
    StartDeployment(Deployment),
    /// Its tasks are healthy and no older one is left.
    CompleteDeployment(DeploymentId),
    /// It is given up.
    FailDeployment {
        /// The deployment.
        deployment: DeploymentId,
        /// Why, in a sentence for people.
        reason: String,
    },

    /// A new task: placed, or PROVISIONING for the scheduler to place.
    CreateTask(Task),
    /// Gives a PROVISIONING task its place. Refused when it does not fit.
    PlaceTask {
        /// The task.
        task: TaskId,
        /// Its place.
        placement: Placement,
    },
    /// It should be stopped: RUNNING becomes DEACTIVATING, anything earlier STOPPING, a task without a place STOPPED.
    StopTask {
        /// The task.
        task: TaskId,
        /// Why, as a code.
        code: StopCode,
        /// Why, in a sentence.
        reason: String,
    },
    /// It should be stopped because it never became healthy: as `StopTask` with `ServiceSchedulerInitiated`, and it counts
    /// as failed in its deployment.
    FailTask {
        /// The task.
        task: TaskId,
        /// Which check failed how.
        reason: String,
    },
    /// Routers are done with it: DEACTIVATING becomes STOPPING.
    TaskDrained(TaskId),
    /// What its agent sees. Reports that bring nothing new, or are older than what is known, touch nothing.
    ReportTask(TaskReport),
    /// It was healthy for the first time.
    TaskHealthy(TaskId),
    /// Its instance is given up: it counts as stopped, whatever becomes of its containers.
    LoseTask(TaskId),
    /// Its agent has removed its containers.
    TaskReaped {
        /// The instance that says so.
        instance: InstanceId,
        /// The task.
        task: TaskId,
    },
    /// Nothing decides on it any more: it goes to history. Refused before it has stopped.
    ForgetTask(TaskId),

    /// A new listener.
    CreateListener(Listener),
    /// A new target group, or new settings of one.
    PutTargetGroup(TargetGroup),
    /// The end of a target group. Refused while a service or rule uses it.
    RemoveTargetGroup(TargetGroupId),
    /// A new rule. Refused when another of the listener has its priority, or its host and path.
    CreateRule(Rule),
    /// The end of a rule.
    RemoveRule(RuleId),

    /// A new repository. Recording one that is known touches nothing.
    CreateRepository(Repository),
    /// Moves a tag.
    PutTag(Tag),
    /// Removes a tag. Refused when there is none.
    RemoveTag {
        /// The repository.
        repository: RepositoryName,
        /// The tag.
        tag: TagName,
    },
}

/// What a known agent's host reports now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstanceReport {
    /// The instance.
    pub instance: InstanceId,
    /// What people call it.
    pub name: String,
    /// What it offers in total.
    pub capacity: Resources,
    /// What its Docker runs.
    pub platform: Platform,
    /// Which boot of which network namespace it is in.
    pub host: HostIdentity,
    /// Where its published ports can be reached.
    pub advertised_address: IpAddr,
    /// The version of its agent.
    pub agent_version: String,
    /// The version of its Docker Engine.
    pub docker_version: String,
}

/// New settings of a service; what is None stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceUpdate {
    /// The service; must be there and ACTIVE.
    pub service: Option<ServiceId>,
    /// How many tasks should run.
    pub desired_count: Option<u32>,
    /// Bounds and breaker.
    pub deployment_configuration: Option<DeploymentConfiguration>,
    /// How long failed checks of a new task are overlooked.
    pub health_check_grace_period_seconds: Option<u32>,
    /// Whether pushes roll out by themselves.
    pub follow_tags: Option<bool>,
}

/// What an agent sees of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskReport {
    /// The instance that reports; must be the task's own.
    pub instance: InstanceId,
    /// The task.
    pub task: TaskId,
    /// ACTIVATING, RUNNING, STOPPING or STOPPED; others are refused.
    pub status: TaskStatus,
    /// Why it stopped, where the agent knows: not needed when it was told to stop.
    pub stopped: Option<crate::task::Stopped>,
    /// Its containers; those that are not named stay as they are known.
    pub containers: Vec<TaskContainer>,
}

/// Why a Change does not fit. Each is a sentence that a person can act on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An entity that the Change names is not there.
    #[error("{kind} `{name}` does not exist")]
    NotFound {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
    /// An entity that should be new is there.
    #[error("{kind} `{name}` already exists")]
    Exists {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
    },
    /// The entity is not in the status that the Change needs.
    #[error("{kind} `{name}` is {status}")]
    WrongStatus {
        /// `service`, `task`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
        /// What it is.
        status: String,
    },
    /// Somebody else uses it.
    #[error("{kind} `{name}` is in use by {by}")]
    InUse {
        /// `service`, `address`, ...
        kind: &'static str,
        /// Its name or id.
        name: String,
        /// Who uses it.
        by: String,
    },
    /// A revision that is not the next one: somebody else was faster.
    #[error("task definition `{given}` is not the next revision, `{next}`")]
    NotNext {
        /// What was given.
        given: Revision,
        /// What comes next.
        next: Revision,
    },
    /// A task definition that cannot be.
    #[error("task definition `{family}`: {source}")]
    Definition {
        /// The family.
        family: String,
        /// What is wrong with it.
        #[source]
        source: DefinitionError,
    },
    /// The instance has too little left.
    #[error("instance `{instance}` has no room for the task: {}", sentence(.shortfalls))]
    NoRoom {
        /// The instance.
        instance: InstanceId,
        /// In which dimensions.
        shortfalls: Vec<Shortfall>,
    },
    /// A service's name is taken.
    #[error("service `{name}` already exists in cluster `{cluster}`")]
    ServiceExists {
        /// The cluster.
        cluster: ClusterName,
        /// The name.
        name: ServiceName,
    },
    /// A rule that would never be reached, or whose order is not defined.
    #[error("rule conflicts with rule `{other}`: {why}")]
    RuleConflict {
        /// The other rule.
        other: RuleId,
        /// What they share.
        why: String,
    },
    /// A join token that is over.
    #[error("join token has {0}; make a new one with `berth instance join-token`")]
    JoinTokenOver(&'static str),
    /// A value that makes no sense.
    #[error("{0}")]
    Invalid(String),
}

fn sentence(shortfalls: &[Shortfall]) -> String {
    shortfalls.iter().map(Shortfall::to_string).collect::<Vec<_>>().join(", ")
}
