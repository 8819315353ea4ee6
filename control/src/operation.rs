//! Everything that people and their programs can ask for, in one table: which action of `access` it takes, on which kind
//! of resource, and what it does. Who asks for an operation is authorised by its row here and by nothing else.

use access::{Action, ResourceKind};

/// What an operation takes and does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it takes: an action on a resource of a kind. Who may not do the first on any resource of its kind is denied at
    /// once; the others are asked for where the request needs them.
    pub permissions: &'static [(Action, ResourceKind)],
    /// How many resources it is about.
    pub reach: Reach,
    /// What it does.
    pub effect: Effect,
}

/// How many resources an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// One that the request names; with what it needs beside it.
    Named,
    /// A list, in which each item shows only if who asks may see it.
    Listed,
    /// The installation as a whole.
    Whole,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Reads,
    /// It changes something, and who did it is recorded.
    Changes,
    /// It changes something that nobody sees until another operation, which is recorded, names it.
    Prepares,
    /// It records that something was used, which is what it leaves behind.
    Records,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident: $(($action:ident on $kind:ident)),+; $reach:ident, $effect:ident;)+) => {
        /// Something that can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Operation {
            $($(#[$doc])* $name,)+
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// Its name, in the style of AWS.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// Its row.
            pub const fn entry(self) -> Entry {
                match self {
                    $(Self::$name => Entry {
                        permissions: &[$((Action::$action, ResourceKind::$kind)),+],
                        reach: Reach::$reach,
                        effect: Effect::$effect,
                    },)+
                }
            }
        }
    };
}

operations! {
    /// The summary of everything.
    GetStatus: (StatusGet on Installation); Whole, Reads;
    /// What a stop of everything has left.
    GetStopProgress: (InstallationStop on Installation); Whole, Reads;
    /// Suspends all instances: their tasks stop.
    StopInstallation: (InstallationStop on Installation); Whole, Changes;
    /// Ends the suspension of all instances.
    ResumeInstallation: (InstallationStop on Installation); Whole, Changes;
    /// How far a verification of all images is.
    GetImageVerification: (InstallationGetImageVerification on Installation); Whole, Reads;
    /// Reads all images and compares them with their digests.
    VerifyImages: (InstallationVerifyImages on Installation); Whole, Changes;

    /// Clusters.
    ListClusters: (ClusterList on Cluster); Listed, Reads;
    /// What happened in a cluster.
    ListClusterEvents: (ClusterEvents on Cluster); Named, Reads;
    /// Instances.
    ListInstances: (InstanceList on Instance); Listed, Reads;
    /// One instance.
    GetInstance: (InstanceGet on Instance); Named, Reads;
    /// What happened to an instance.
    ListInstanceEvents: (InstanceEvents on Instance); Named, Reads;
    /// Sets an instance ACTIVE or DRAINING.
    UpdateInstance: (InstanceUpdate on Instance); Named, Changes;
    /// Removes an instance that will not come back.
    RemoveInstance: (InstanceRemove on Instance); Named, Changes;
    /// Makes a token with which an agent joins a cluster, or a router the installation.
    CreateJoinToken:
        (InstanceCreateJoinToken on Cluster), (RouterCreateJoinToken on Installation); Named, Changes;
    /// Routers.
    ListRouters: (RouterList on Router); Listed, Reads;
    /// Removes a router that will not come back.
    RemoveRouter: (RouterRemove on Router); Named, Changes;

    /// Task definitions.
    ListTaskDefinitions: (TaskDefinitionList on TaskDefinition); Listed, Reads;
    /// One task definition.
    GetTaskDefinition: (TaskDefinitionGet on TaskDefinition); Named, Reads;
    /// Registers a revision.
    RegisterTaskDefinition: (TaskDefinitionRegister on TaskDefinition); Named, Changes;

    /// Services of a cluster.
    ListServices: (ServiceList on Service); Listed, Reads;
    /// One service.
    GetService: (ServiceGet on Service); Named, Reads;
    /// Makes a service.
    CreateService: (ServiceCreate on Service); Named, Changes;
    /// Changes a service, or rolls it out anew.
    UpdateService: (ServiceUpdate on Service); Named, Changes;
    /// Removes a service.
    DeleteService: (ServiceDelete on Service); Named, Changes;
    /// Deploys an image as a service.
    DeployService: (ServiceDeploy on Service); Named, Changes;
    /// Goes back to an earlier deployment.
    RollbackService: (ServiceRollback on Service); Named, Changes;
    /// The revisions of a service.
    ListServiceRevisions: (ServiceGet on Service); Named, Reads;
    /// What happened to a service.
    ListServiceEvents: (ServiceEvents on Service); Named, Reads;

    /// Tasks of a cluster.
    ListTasks: (TaskList on Task); Listed, Reads;
    /// One task.
    GetTask: (TaskGet on Task); Named, Reads;
    /// Runs tasks of a definition in a cluster, without a service.
    RunTask: (TaskRun on TaskDefinition), (TaskRun on Cluster); Named, Changes;
    /// Stops a task.
    StopTask: (TaskStop on Task); Named, Changes;
    /// A task's log.
    GetTaskLogs: (TaskLogs on Task); Named, Reads;

    /// Listeners.
    ListListeners: (ListenerList on Listener); Listed, Reads;
    /// Target groups.
    ListTargetGroups: (TargetGroupList on TargetGroup); Listed, Reads;
    /// Rules.
    ListRules: (RuleList on Rule); Listed, Reads;
    /// Makes a rule of a listener.
    CreateRule: (RuleCreate on Listener); Named, Changes;
    /// Removes a rule.
    DeleteRule: (RuleDelete on Rule); Named, Changes;

    /// Repositories.
    ListRepositories: (RepositoryList on Repository); Listed, Reads;
    /// The tags of a repository, with what is known of them.
    ListTags: (RepositoryGet on Repository); Named, Reads;
    /// What a client of the registry reads: tags, referrers, manifests and blobs.
    Pull: (RepositoryPull on Repository); Named, Reads;
    /// Uploads a blob, or shows one of another repository.
    UploadBlob: (RepositoryPush on Repository); Named, Prepares;
    /// Puts a manifest, and moves tags to it.
    PutManifest: (RepositoryPush on Repository); Named, Changes;
    /// Removes a manifest or a tag.
    DeleteManifest: (RepositoryDelete on Repository); Named, Changes;
    /// Takes a blob out of a repository.
    DeleteBlob: (RepositoryDelete on Repository); Named, Changes;
    /// Remembers a `docker login` of one's own.
    LogIn: (RegistryLogin on User); Named, Changes;
    /// Records that such a login was used.
    RecordLoginUse: (RegistryLogin on User); Named, Records;

    /// Tokens: what proves people and their programs.
    ListTokens: (TokenList on Token); Listed, Reads;
    /// Ends a token.
    RevokeToken: (TokenRevoke on Token); Named, Changes;
}

impl Operation {
    /// The action that it takes first.
    pub const fn action(self) -> Action {
        self.entry().permissions[0].0
    }

    /// The kind of what it is first about.
    pub const fn kind(self) -> ResourceKind {
        self.entry().permissions[0].1
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
