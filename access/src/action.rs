//! Everything that can be asked for, as IAM writes it: `noun:Verb`.

use std::fmt;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// What somebody asks to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As IAM writes it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

actions! {
    /// Read the summary of everything.
    StatusGet = "status:Get",
    /// Stop all tasks and drain all services.
    InstallationStop = "installation:Stop",
    /// Read how far a verification of all images is.
    InstallationGetImageVerification = "installation:GetImageVerification",
    /// Verify all images.
    InstallationVerifyImages = "installation:VerifyImages",
    /// List clusters.
    ClusterList = "cluster:List",
    /// Read what happened in a cluster.
    ClusterEvents = "cluster:Events",
    /// List instances.
    InstanceList = "instance:List",
    /// Read one instance.
    InstanceGet = "instance:Get",
    /// Read what happened to an instance.
    InstanceEvents = "instance:Events",
    /// Change an instance's status.
    InstanceUpdate = "instance:Update",
    /// Remove an instance.
    InstanceRemove = "instance:Remove",
    /// Make a token that lets an agent join.
    InstanceCreateJoinToken = "instance:CreateJoinToken",
    /// List routers.
    RouterList = "router:List",
    /// Remove a router.
    RouterRemove = "router:Remove",
    /// Make a token that lets a router join.
    RouterCreateJoinToken = "router:CreateJoinToken",
    /// Register a task definition.
    TaskDefinitionRegister = "taskDefinition:Register",
    /// List task definitions.
    TaskDefinitionList = "taskDefinition:List",
    /// Read one task definition.
    TaskDefinitionGet = "taskDefinition:Get",
    /// List services.
    ServiceList = "service:List",
    /// Read one service.
    ServiceGet = "service:Get",
    /// Make a service.
    ServiceCreate = "service:Create",
    /// Change a service, or roll it out anew.
    ServiceUpdate = "service:Update",
    /// Deploy an image as a service.
    ServiceDeploy = "service:Deploy",
    /// Go back to an earlier deployment.
    ServiceRollback = "service:Rollback",
    /// Remove a service.
    ServiceDelete = "service:Delete",
    /// Read what happened to a service.
    ServiceEvents = "service:Events",
    /// List tasks.
    TaskList = "task:List",
    /// Read one task.
    TaskGet = "task:Get",
    /// Run tasks without a service.
    TaskRun = "task:Run",
    /// Stop a task.
    TaskStop = "task:Stop",
    /// Read a task's log.
    TaskLogs = "task:Logs",
    /// List listeners.
    ListenerList = "listener:List",
    /// List target groups.
    TargetGroupList = "targetGroup:List",
    /// List rules.
    RuleList = "rule:List",
    /// Make a rule.
    RuleCreate = "rule:Create",
    /// Remove a rule.
    RuleDelete = "rule:Delete",
    /// List repositories.
    RepositoryList = "repository:List",
    /// Read a repository and its tags.
    RepositoryGet = "repository:Get",
    /// Pull from a repository.
    RepositoryPull = "repository:Pull",
    /// Push to a repository.
    RepositoryPush = "repository:Push",
    /// Delete from a repository.
    RepositoryDelete = "repository:Delete",
    /// Have a `docker login` of one's own remembered.
    RegistryLogin = "registry:Login",
    /// List tokens.
    TokenList = "token:List",
    /// End a token.
    TokenRevoke = "token:Revoke",
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
