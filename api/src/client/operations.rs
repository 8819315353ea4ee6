//! Every operation of the API.

use model::{ClusterName, IdPrefix, InstanceId, ServiceName};
use reqwest::Method;
use serde::Serialize;

use super::error::CallError;
use super::http::{Client, Logs, NO_QUERY, Tagged};
use crate::header::{IdempotencyKey, IfMatch};
use crate::{
    Cluster, ClusterEvent, ClusterQuery, CreateJoinTokenRequest, CreateRuleRequest,
    CreateServiceRequest, DeployRequest, DeployResponse, Done, Instance, InstanceEvent, JoinToken,
    LastImageVerification, ListEventsQuery, ListServicesQuery, ListTagsQuery,
    ListTaskDefinitionsQuery, ListTasksQuery, Listener, LogsQuery, Page, PageQuery,
    RegisterTaskDefinitionQuery, Remaining, Repository, RollbackRequest, Router, Rule,
    RunTaskRequest, RunTaskResponse, Service, ServiceEvent, ServiceRevision, Status, StopQuery,
    StopTaskRequest, Tag, TargetGroup, Task, TaskDefinition, TaskDefinitionReference, Token,
    UpdateInstanceRequest, UpdateServiceRequest,
};

type Answer<T> = Result<T, CallError>;

fn of(cluster: &ClusterName) -> ClusterQuery {
    ClusterQuery { cluster: cluster.clone() }
}

/// The whole.
impl Client {
    /// How everything is.
    pub async fn status(&self) -> Answer<Status> {
        self.get(&["status"], &NO_QUERY).await
    }

    /// Ends the suspension of all instances: services come back.
    pub async fn resume_installation(&self) -> Answer<Done> {
        self.delete(&["down"], &NO_QUERY, None).await
    }

    /// Suspends one instance or all of them: their tasks stop, and everything else stays; answers at once with how many
    /// there are.
    pub async fn stop_installation(&self, only: Option<InstanceId>) -> Answer<Remaining> {
        self.post(&["down"], &StopQuery { instance: only }, &Done {}, None).await
    }

    /// How far a verification of all images is.
    pub async fn image_verification(&self) -> Answer<LastImageVerification> {
        self.get(&["image-verification"], &NO_QUERY).await
    }

    /// Begins a verification of all images, unless one goes on.
    pub async fn verify_images(&self) -> Answer<LastImageVerification> {
        self.post(&["image-verification"], &NO_QUERY, &Done {}, None).await
    }

    /// How many services and tasks still have to stop, of one instance or of all.
    pub async fn remaining(&self, only: Option<InstanceId>) -> Answer<Remaining> {
        self.get(&["down"], &StopQuery { instance: only }).await
    }
}

/// Clusters, instances and routers.
impl Client {
    /// Clusters by name.
    pub async fn list_clusters(&self, query: &PageQuery) -> Answer<Page<Cluster>> {
        self.get(&["clusters"], query).await
    }

    /// Instances, oldest first.
    pub async fn list_instances(&self, query: &PageQuery) -> Answer<Page<Instance>> {
        self.get(&["instances"], query).await
    }

    /// One instance by id, or by name where only one has it.
    pub async fn get_instance(&self, instance: &str) -> Answer<Tagged<Instance>> {
        self.get_tagged(&["instances", instance], &NO_QUERY).await
    }

    /// Sets an instance ACTIVE or DRAINING.
    pub async fn update_instance(
        &self,
        instance: &str,
        request: &UpdateInstanceRequest,
        if_match: Option<&IfMatch>,
    ) -> Answer<Instance> {
        self.patch(&["instances", instance], &NO_QUERY, request, if_match).await
    }

    /// Removes an instance that will not come back.
    pub async fn remove_instance(
        &self,
        instance: &str,
        if_match: Option<&IfMatch>,
    ) -> Answer<Done> {
        self.delete(&["instances", instance], &NO_QUERY, if_match).await
    }

    /// What happened to an instance, newest first.
    pub async fn list_instance_events(
        &self,
        instance: &str,
        query: &PageQuery,
    ) -> Answer<Page<InstanceEvent>> {
        self.get(&["instances", instance, "events"], query).await
    }

    /// What happened in a cluster, newest first.
    pub async fn list_cluster_events(
        &self,
        cluster: &ClusterName,
        query: &PageQuery,
    ) -> Answer<Page<ClusterEvent>> {
        self.get(&["clusters", cluster.as_str(), "events"], query).await
    }

    /// Makes a token that lets an agent or a router join.
    pub async fn create_join_token(
        &self,
        request: &CreateJoinTokenRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<JoinToken> {
        self.post(&["join-tokens"], &NO_QUERY, request, key).await
    }

    /// Routers, oldest first.
    pub async fn list_routers(&self, query: &PageQuery) -> Answer<Page<Router>> {
        self.get(&["routers"], query).await
    }

    /// Removes a router that will not come back.
    pub async fn remove_router(&self, router: &IdPrefix) -> Answer<Done> {
        self.delete(&["routers", &router.to_string()], &NO_QUERY, None).await
    }
}

/// Tokens.
impl Client {
    /// Tokens, oldest first.
    pub async fn list_tokens(&self, query: &PageQuery) -> Answer<Page<Token>> {
        self.get(&["tokens"], query).await
    }

    /// Ends a token at once.
    pub async fn revoke_token(&self, token: &IdPrefix) -> Answer<Done> {
        self.delete(&["tokens", &token.to_string()], &NO_QUERY, None).await
    }
}

/// Images.
impl Client {
    /// Repositories by name.
    pub async fn list_repositories(&self, query: &PageQuery) -> Answer<Page<Repository>> {
        self.get(&["repositories"], query).await
    }

    /// The tags of a repository in byte order.
    pub async fn list_tags(&self, query: &ListTagsQuery) -> Answer<Page<Tag>> {
        self.get(&["tags"], query).await
    }
}

/// Listeners, rules and target groups.
impl Client {
    /// Listeners, oldest first.
    pub async fn list_listeners(&self, query: &PageQuery) -> Answer<Page<Listener>> {
        self.get(&["listeners"], query).await
    }

    /// Target groups, oldest first.
    pub async fn list_target_groups(&self, query: &PageQuery) -> Answer<Page<TargetGroup>> {
        self.get(&["target-groups"], query).await
    }

    /// Rules: those with a priority first, lowest number first.
    pub async fn list_rules(&self, query: &PageQuery) -> Answer<Page<Rule>> {
        self.get(&["rules"], query).await
    }

    /// Makes a rule.
    pub async fn create_rule(
        &self,
        request: &CreateRuleRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<Rule> {
        self.post(&["rules"], &NO_QUERY, request, key).await
    }

    /// Removes a rule.
    pub async fn remove_rule(&self, rule: &IdPrefix) -> Answer<Done> {
        self.delete(&["rules", &rule.to_string()], &NO_QUERY, None).await
    }
}

/// Task definitions.
impl Client {
    /// Task definitions by family and revision.
    pub async fn list_task_definitions(
        &self,
        query: &ListTaskDefinitionsQuery,
    ) -> Answer<Page<TaskDefinition>> {
        self.get(&["task-definitions"], query).await
    }

    /// One task definition.
    pub async fn get_task_definition(
        &self,
        reference: &TaskDefinitionReference,
    ) -> Answer<TaskDefinition> {
        self.get(&["task-definitions", &reference.to_string()], &NO_QUERY).await
    }

    /// Registers a new revision from a document of ECS's, sent as it is.
    pub async fn register_task_definition(
        &self,
        document: &impl Serialize,
        query: &RegisterTaskDefinitionQuery,
        key: Option<&IdempotencyKey>,
    ) -> Answer<TaskDefinition> {
        self.post(&["task-definitions"], query, document, key).await
    }
}

/// Services.
impl Client {
    /// Deploys an image as a service: makes or changes everything that it takes.
    pub async fn deploy(
        &self,
        request: &DeployRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<DeployResponse> {
        self.post(&["deploy"], &NO_QUERY, request, key).await
    }

    /// The services of a cluster by name.
    pub async fn list_services(&self, query: &ListServicesQuery) -> Answer<Page<Service>> {
        self.get(&["services"], query).await
    }

    /// One service with its deployments and last events.
    pub async fn get_service(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
    ) -> Answer<Tagged<Service>> {
        self.get_tagged(&["services", service.as_str()], &of(cluster)).await
    }

    /// Makes a service and starts its first deployment.
    pub async fn create_service(
        &self,
        request: &CreateServiceRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<Service> {
        self.post(&["services"], &NO_QUERY, request, key).await
    }

    /// Changes a service.
    pub async fn update_service(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        request: &UpdateServiceRequest,
        if_match: Option<&IfMatch>,
    ) -> Answer<Service> {
        self.patch(&["services", service.as_str()], &of(cluster), request, if_match).await
    }

    /// Removes a service: its tasks are stopped, then it goes.
    pub async fn remove_service(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        if_match: Option<&IfMatch>,
    ) -> Answer<Service> {
        self.delete(&["services", service.as_str()], &of(cluster), if_match).await
    }

    /// Goes back to a revision that proved itself.
    pub async fn roll_back_service(
        &self,
        service: &ServiceName,
        cluster: &ClusterName,
        request: &RollbackRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<Service> {
        let path = ["services", service.as_str(), "rollback"];
        self.post(&path, &of(cluster), request, key).await
    }

    /// The revisions of a service that are kept, newest first.
    pub async fn list_service_revisions(
        &self,
        service: &ServiceName,
        query: &ListEventsQuery,
    ) -> Answer<Page<ServiceRevision>> {
        self.get(&["services", service.as_str(), "revisions"], query).await
    }

    /// What happened to a service, newest first.
    pub async fn list_service_events(
        &self,
        service: &ServiceName,
        query: &ListEventsQuery,
    ) -> Answer<Page<ServiceEvent>> {
        self.get(&["services", service.as_str(), "events"], query).await
    }
}

/// Tasks.
impl Client {
    /// Tasks, newest first.
    pub async fn list_tasks(&self, query: &ListTasksQuery) -> Answer<Page<Task>> {
        self.get(&["tasks"], query).await
    }

    /// One task, also after it has stopped.
    pub async fn get_task(&self, task: &IdPrefix) -> Answer<Task> {
        self.get(&["tasks", &task.to_string()], &NO_QUERY).await
    }

    /// Runs tasks without a service.
    pub async fn run_task(
        &self,
        request: &RunTaskRequest,
        key: Option<&IdempotencyKey>,
    ) -> Answer<RunTaskResponse> {
        self.post(&["tasks"], &NO_QUERY, request, key).await
    }

    /// Stops a task.
    pub async fn stop_task(&self, task: &IdPrefix, request: &StopTaskRequest) -> Answer<Task> {
        self.post(&["tasks", &task.to_string(), "stop"], &NO_QUERY, request, None).await
    }

    /// A task's log as text, each line as `CONTAINER TEXT`; after its end, its last lines.
    pub async fn logs(&self, task: &IdPrefix, query: &LogsQuery) -> Answer<Logs> {
        let request = self.request(Method::GET, &["tasks", &task.to_string(), "logs"], query);
        self.stream(request).await
    }
}
