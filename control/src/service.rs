//! Services.

use access::{Resource, ResourceKind};
use api::{
    CreateServiceRequest, IfMatch, ListServicesQuery, Page, TaskDefinitionReference,
    UpdateServiceRequest,
};
use model::change::ServiceUpdate;
use model::{
    Change, ClusterName, CompletedDeployment, DeploymentChange, HistoryQuery, NewService,
    Precondition, RolloutState, Service, ServiceChange, ServiceId, ServiceName, State,
};

use crate::describe::service::service;
use crate::entity_tag::{self, Tagged};
use crate::page::page;
use crate::{
    Context, Decision, Operation, Past, Refused, Request, View, deployment, event, find,
    task_definition,
};

/// Events that come with a service.
const EVENTS_SHOWN: usize = 20;

/// Services of a cluster by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListServices(pub ListServicesQuery);

/// Which service is meant, and in which state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedService {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name.
    pub name: ServiceName,
    /// The state that it is meant in.
    pub if_match: Option<IfMatch>,
}

/// One service with its deployments and last events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetService(pub NamedService);

/// Makes a service and starts its first deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateService(pub CreateServiceRequest);

/// Changes a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateService {
    /// Which.
    pub service: NamedService,
    /// What to change.
    pub request: UpdateServiceRequest,
}

/// Removes a service: its tasks are stopped, then it goes with its rules and target groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteService(pub NamedService);

/// Goes back to the deployment that completed before: its revision and its digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackService(pub NamedService);

impl NamedService {
    fn find<'a>(&self, state: &'a State) -> Result<&'a Service, Refused> {
        find::service(state, &self.cluster, &self.name)
    }

    fn resource(&self) -> Resource {
        Resource::service(&self.cluster, &self.name)
    }

    fn unmodified(&self) -> Option<Precondition> {
        let (cluster, name) = (self.cluster.clone(), self.name.clone());
        entity_tag::unmodified(self.if_match.as_ref(), self.resource().to_string(), move |state| {
            state.service_named(&cluster, &name).map(entity_tag::of_service)
        })
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        event::query(state, (&self.cluster, &self.name), None, EVENTS_SHOWN, past)
    }

    fn describe(&self, view: &View<'_>) -> Result<Tagged<api::Service>, Refused> {
        Ok(describe(view, self.find(view.state)?))
    }
}

/// A service with its last events.
fn describe(view: &View<'_>, one: &Service) -> Tagged<api::Service> {
    let (events, _) = event::page_of(view.past, EVENTS_SHOWN);
    let value = api::Service { events, ..service(view.state, one, view.router_port) };
    Tagged { tag: entity_tag::of_service(one), value }
}

impl Request for ListServices {
    const OPERATION: Operation = Operation::ListServices;
    type Answer = Page<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any_in(ResourceKind::Service, &self.0.cluster))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let query = &self.0;
        find::cluster(context.view.state, &query.cluster)?;
        Ok(Decision::read(|view| {
            let all = view.state.services().filter(|one| one.cluster == query.cluster);
            let seen = all.filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&Service| one.name.clone();
            let describe = |one| service(view.state, one, view.router_port);
            page(seen, key, query.limit, query.next_token.as_ref(), describe)
        }))
    }
}

impl Request for GetService {
    const OPERATION: Operation = Operation::GetService;
    type Answer = Tagged<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(self.0.resource())
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        self.0.history(state, past)
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| self.0.describe(view)))
    }
}

impl CreateService {
    fn named(&self) -> NamedService {
        let (cluster, name) = (self.0.cluster_name.clone(), self.0.service_name.clone());
        NamedService { cluster, name, if_match: None }
    }
}

impl Request for CreateService {
    const OPERATION: Operation = Operation::CreateService;
    type Answer = Tagged<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(self.named().resource())
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        self.named().history(state, past)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let (request, now) = (&self.0, context.view.now);
        let definition = task_definition::find(context.view.state, &request.task_definition)?;
        let made = NewService {
            desired_count: request.desired_count,
            deployment_configuration: request.deployment_configuration.clone(),
            follow_tags: request.follow_tags,
            created_by: context.view.caller.principal.to_string(),
            ..NewService::new(
                ServiceId::new(now, context.random()),
                request.cluster_name.clone(),
                request.service_name.clone(),
                definition.key(),
                now,
            )
        };
        let deployment = deployment::of(context, made.id, definition)?;
        let changes =
            vec![ServiceChange::Create(made).into(), DeploymentChange::Start(deployment).into()];
        Ok(Decision::change(changes, |view| self.named().describe(view)))
    }
}

impl Request for UpdateService {
    const OPERATION: Operation = Operation::UpdateService;
    type Answer = Tagged<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(self.service.resource())
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        self.service.history(state, past)
    }

    fn precondition(&self) -> Option<Precondition> {
        self.service.unmodified()
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let (state, request) = (context.view.state, &self.request);
        let service = self.service.find(state)?;
        let mut changes: Vec<Change> = vec![
            ServiceChange::Update(ServiceUpdate {
                service: Some(service.id),
                desired_count: request.desired_count,
                deployment_configuration: request.deployment_configuration.clone(),
                health_check_grace_period_seconds: request.health_check_grace_period_seconds,
                follow_tags: request.follow_tags,
            })
            .into(),
        ];
        let now: TaskDefinitionReference = service.task_definition.clone().into();
        let wanted = request.task_definition.as_ref().unwrap_or(&now);
        let wanted = task_definition::find(state, wanted)?;
        if request.force_new_deployment || wanted.key() != service.task_definition {
            let deployment = deployment::of(context, service.id, wanted)?;
            changes.push(DeploymentChange::Start(deployment).into());
        }
        Ok(Decision::change(changes, |view| self.service.describe(view)))
    }
}

impl Request for DeleteService {
    const OPERATION: Operation = Operation::DeleteService;
    type Answer = Tagged<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(self.0.resource())
    }

    fn precondition(&self) -> Option<Precondition> {
        self.0.unmodified()
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let service = self.0.find(context.view.state)?;
        let change = ServiceChange::Drain(service.id).into();
        Ok(Decision::change(vec![change], |view| self.0.describe(view)))
    }
}

impl Request for RollbackService {
    const OPERATION: Operation = Operation::RollbackService;
    type Answer = Tagged<api::Service>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(self.0.resource())
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        self.0.history(state, past)
    }

    fn precondition(&self) -> Option<Precondition> {
        self.0.unmodified()
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let state = context.view.state;
        let service = self.0.find(state)?;
        let target = rollback_target(state, service);
        let target = target.ok_or_else(|| Refused::NothingToRollBackTo(service.name.clone()))?;
        let change = DeploymentChange::Start(deployment::back(context, service, target)).into();
        Ok(Decision::change(vec![change], |view| self.0.describe(view)))
    }
}

/// While a deployment is in progress or has failed: the last that completed. From a completed one: the one before it.
fn rollback_target<'a>(state: &State, service: &'a Service) -> Option<&'a CompletedDeployment> {
    let current = service.deployment.and_then(|id| state.deployment(id));
    match current.map(|deployment| deployment.rollout_state) {
        Some(RolloutState::Completed) | None => service.previous_completed.as_ref(),
        Some(RolloutState::InProgress | RolloutState::Failed) => service.last_completed.as_ref(),
    }
}
