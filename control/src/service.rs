//! Services.

use std::collections::BTreeMap;

use access::{Resource, ResourceKind};
use api::{
    CreateServiceRequest, IfMatch, ListServicesQuery, Page, RollbackRequest,
    TaskDefinitionReference, UpdateServiceRequest,
};
use model::change::ServiceUpdate;
use model::{
    Change, ClusterName, ContainerName, DeploymentCause, DeploymentChange, HistoryQuery,
    NewService, PinnedImage, Precondition, RolledOut, RowGuard, Service, ServiceChange, ServiceId,
    ServiceName, ServiceRevision, State, TaskDefinition,
};

use crate::deployment::Contents;
use crate::describe::service::service;
use crate::entity_tag::{self, Tagged};
use crate::page::page;
use crate::{
    Context, Decision, Operation, Past, Refused, Request, View, deployment, event, find, resolve,
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

/// Goes back to a revision that proved itself, with everything that it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackService {
    /// Which.
    pub service: NamedService,
    /// Where to.
    pub request: RollbackRequest,
}

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
        describe(view, self.find(view.state)?)
    }
}

/// A service with its last events.
fn describe(view: &View<'_>, one: &Service) -> Result<Tagged<api::Service>, Refused> {
    let (events, _) = event::page_of(view.past, EVENTS_SHOWN);
    let described = service(view, one);
    let described = described.ok_or_else(|| Refused::missing(ResourceKind::Service, &one.name))?;
    let value = api::Service { events, ..described };
    Ok(Tagged { tag: entity_tag::of_service(one), value })
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
            let described = seen.filter_map(|one| service(view, one));
            let key = |one: &api::Service| one.service_name.clone();
            page(described, key, query.limit, query.next_token.as_ref(), |one| one)
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
                now,
            )
        };
        let images = resolve::images(&context.view, definition)?;
        let guards = resolve::guards(context.view.state, images.values());
        let contents = Contents { definition, images, load_balancers: Vec::new() };
        let revision = RolledOut::New(deployment::next_revision(context, made.id, contents));
        let new = deployment::start(context, made.id, revision, DeploymentCause::Requested);
        let changes = vec![ServiceChange::Create(made).into(), DeploymentChange::Start(new).into()];
        let decision = Decision::change(changes, |view| self.named().describe(view));
        Ok(Decision { guards, ..decision })
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
        let (new, guards) = self.deployment(context, service)?.unzip();
        changes.extend(new);
        let decision = Decision::change(changes, |view| self.service.describe(view));
        Ok(Decision { guards: guards.unwrap_or_default(), ..decision })
    }
}

impl UpdateService {
    /// What is to be rolled out, where another definition is wanted or everything is to be replaced, and what must hold then.
    fn deployment(
        &self,
        context: &Context<'_>,
        service: &Service,
    ) -> Result<Option<(Change, Vec<RowGuard>)>, Refused> {
        let (state, request) = (context.view.state, &self.request);
        let Some(current) = state.requested_revision(service) else { return Ok(None) };
        let now: TaskDefinitionReference = current.task_definition.clone().into();
        let wanted = request.task_definition.as_ref().unwrap_or(&now);
        let wanted = task_definition::find(state, wanted)?;
        if !request.force_new_deployment && wanted.key() == current.task_definition {
            return Ok(None);
        }
        let images = self.images(context, current, wanted)?;
        let guards = resolve::guards(state, images.values());
        let load_balancers = deployment::balancers_in(wanted, &current.load_balancers);
        let contents = Contents { definition: wanted, images, load_balancers };
        let revision = RolledOut::New(deployment::next_revision(context, service.id, contents));
        let new = deployment::start(context, service.id, revision, DeploymentCause::Requested);
        Ok(Some((DeploymentChange::Start(new).into(), guards)))
    }

    /// What the tags name now where everything is to be replaced, as with ECS; else a container whose image is written as
    /// before keeps its digest.
    fn images(
        &self,
        context: &Context<'_>,
        current: &ServiceRevision,
        wanted: &TaskDefinition,
    ) -> Result<BTreeMap<ContainerName, PinnedImage>, Refused> {
        let mut images = resolve::images(&context.view, wanted)?;
        let before = context.view.state.task_definition(&current.task_definition);
        if self.request.force_new_deployment {
            return Ok(images);
        }
        for container in &wanted.container_definitions {
            let same = before.and_then(|before| before.container(&container.name));
            if same.is_some_and(|same| same.image == container.image)
                && let Some(image) = current.images.get(&container.name)
            {
                images.insert(container.name.clone(), image.clone());
            }
        }
        Ok(images)
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
        Ok(self.service.resource())
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        self.service.history(state, past)
    }

    fn precondition(&self) -> Option<Precondition> {
        self.service.unmodified()
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let state = context.view.state;
        let service = self.service.find(state)?;
        let target = rollback_target(state, service, self.request.revision)?;
        let cause = DeploymentCause::Rollback { from: service.deployment };
        let revision = RolledOut::Known(target.id);
        let new = deployment::start(context, service.id, revision, cause);
        let change = DeploymentChange::Start(new).into();
        Ok(Decision::change(vec![change], |view| self.service.describe(view)))
    }
}

/// The revision that is named, if it proved itself. Else the newest that did and is not the one that is rolled out now:
/// from a completed deployment that is the one before it.
fn rollback_target<'a>(
    state: &'a State,
    service: &Service,
    wanted: Option<u32>,
) -> Result<&'a ServiceRevision, Refused> {
    let current = state.current_deployment(service).map(|deployment| deployment.revision);
    let proven: Vec<_> =
        service.completed.iter().rev().filter_map(|id| state.service_revision(*id)).collect();
    let name = || service.name.clone();
    let Some(wanted) = wanted else {
        // While none has proved itself, what was in force before is better than nothing.
        let before = state.current_deployment(service).and_then(|one| one.replaces.first());
        let before = before.and_then(|id| state.service_revision(*id));
        let mut others = proven.into_iter().chain(before).filter(|one| Some(one.id) != current);
        return others.next().ok_or_else(|| Refused::NothingToRollBackTo(name()));
    };
    let found = proven.iter().find(|one| one.number == wanted);
    found.copied().ok_or_else(|| Refused::NotProven {
        service: name(),
        revision: wanted,
        proven: proven.iter().map(|one| one.number).collect(),
    })
}
