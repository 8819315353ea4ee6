//! Services.

use api::{
    ClusterQuery, CreateServiceRequest, ListEventsQuery, ListServicesQuery, Page, ProblemCode,
    TaskDefinitionReference, UpdateServiceRequest,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::change::ServiceUpdate as Settings;
use model::service::CompletedDeployment;
use model::{
    ClusterName, Deployment, DeploymentChange, DeploymentId, History, HistoryPlace, HistoryQuery,
    RolloutState, Service, ServiceChange, ServiceId, ServiceName, TaskDefinition,
};

use crate::Api;
use crate::describe;
use crate::idempotency::IdempotencyParameter;
use crate::may::{
    May, ServiceCreate, ServiceDelete, ServiceEvents, ServiceGet, ServiceList, ServiceRollback,
    ServiceUpdate,
};
use crate::page::{self, page};
use crate::precondition::{Precondition, Tagged, entity_tag, service_settings};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path, known_cluster, random, service};
use crate::task_definition::{find, resolve};

/// Events that come with a service.
const EVENTS_SHOWN: usize = 20;
/// Rows of history looked at for one page of events at most: tasks and deployments stand among them.
const MOST_ROWS: usize = 4_000;

/// All services of a cluster.
#[utoipa::path(get, path = "/services", params(ListServicesQuery), responses((status = 200, body = Page<api::Service>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:List"))))]
pub(crate) async fn list(
    _: May<ServiceList>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListServicesQuery>,
) -> Result<Json<Page<api::Service>>, Problem> {
    let state = api.state();
    known_cluster(&state, &query.cluster)?;
    let services = state.services().filter(|service| service.cluster == query.cluster);
    let port = api.router_port();
    let key = |one: &&Service| one.name.clone();
    let describe = |one| describe::service::service(&state, one, port);
    page(services, key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// The service with its last events.
async fn show(
    api: &Api,
    cluster: &ClusterName,
    name: &ServiceName,
) -> Result<Tagged<api::Service>, Problem> {
    let state = api.state();
    let service = service(&state, cluster, name)?;
    let mut described = describe::service::service(&state, service, api.router_port());
    (described.events, _) = events_of(api, service.id, None, EVENTS_SHOWN).await?;
    Ok(Tagged(entity_tag(&service_settings(service)), described))
}

/// Events newest first, behind a place in history; and where to go on where there may be more.
async fn events_of(
    api: &Api,
    id: ServiceId,
    mut after: Option<HistoryPlace>,
    limit: usize,
) -> Result<(Vec<api::ServiceEvent>, Option<HistoryPlace>), Problem> {
    let mut events = Vec::new();
    let mut looked_at = 0;
    while looked_at < MOST_ROWS {
        // Tasks and deployments stand among the events: read some more than are wanted.
        let query = HistoryQuery { after, ..HistoryQuery::of_service(id, limit * 3) };
        let rows = api.store.history_page(query).await?;
        let is_the_end = rows.len() < query.limit;
        looked_at += rows.len();
        for (place, row) in rows {
            after = Some(place);
            match row {
                History::Event(event) => events.push(describe::service::event(&event)),
                History::Task { .. } | History::Deployment(_) | History::Audit(_) => {}
            }
            if events.len() == limit {
                return Ok((events, after));
            }
        }
        if is_the_end {
            return Ok((events, None));
        }
    }
    Ok((events, after))
}

/// One service with its deployments and last events.
#[utoipa::path(get, path = "/services/{service}", params(("service" = ServiceName, Path), ClusterQuery), responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Get"))))]
pub(crate) async fn get(
    _: May<ServiceGet>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(query): Parameters<ClusterQuery>,
) -> Result<Tagged<api::Service>, Problem> {
    show(&api, &query.cluster, &name).await
}

/// Makes a service and starts its first deployment.
#[utoipa::path(post, path = "/services", params(IdempotencyParameter), request_body = CreateServiceRequest, responses((status = 201, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Create"))))]
pub(crate) async fn create(
    may: May<ServiceCreate>,
    State(api): State<Api>,
    Body(request): Body<CreateServiceRequest>,
) -> Result<(StatusCode, Tagged<api::Service>), Problem> {
    let state = api.state();
    let definition = find(&state, &request.task_definition)?;
    let (cluster, name) = (request.cluster_name.clone(), request.service_name.clone());
    let service = Service {
        desired_count: request.desired_count,
        deployment_configuration: request.deployment_configuration,
        follow_tags: request.follow_tags,
        created_by: may.principal.to_string(),
        ..Service::new(
            ServiceId::new(api.now(), random()),
            request.cluster_name,
            request.service_name,
            definition.key(),
            api.now(),
        )
    };
    let deployment = deployment(&api, &state, service.id, definition)?;
    let changes =
        vec![ServiceChange::Create(service).into(), DeploymentChange::Start(deployment).into()];
    api.apply(changes).await?;
    Ok((StatusCode::CREATED, show(&api, &cluster, &name).await?))
}

/// A new deployment of a definition, pinned to what its tags name now.
pub(crate) fn deployment(
    api: &Api,
    state: &model::State,
    service: ServiceId,
    definition: &TaskDefinition,
) -> Result<Deployment, Problem> {
    let now = api.now();
    Ok(Deployment {
        id: DeploymentId::new(now, random()),
        service,
        task_definition: definition.key(),
        images: resolve(api, state, definition)?,
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: "tasks are being started".to_owned(),
        failure: None,
        rollback_of: None,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    })
}

/// Changes a service.
#[utoipa::path(patch, path = "/services/{service}", params(("service" = ServiceName, Path), ClusterQuery, Precondition), request_body = UpdateServiceRequest, responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Update"))))]
pub(crate) async fn update(
    _: May<ServiceUpdate>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(query): Parameters<ClusterQuery>,
    precondition: Precondition,
    Body(request): Body<UpdateServiceRequest>,
) -> Result<Tagged<api::Service>, Problem> {
    let state = api.state();
    let service = service(&state, &query.cluster, &name)?;
    precondition.check(&service_settings(service))?;
    let settings = ServiceChange::Update(Settings {
        service: Some(service.id),
        desired_count: request.desired_count,
        deployment_configuration: request.deployment_configuration,
        health_check_grace_period_seconds: request.health_check_grace_period_seconds,
        follow_tags: request.follow_tags,
    });
    let mut changes = vec![settings.into()];
    let now: TaskDefinitionReference = service.task_definition.clone().into();
    let wanted = find(&state, request.task_definition.as_ref().unwrap_or(&now))?;
    if request.force_new_deployment || wanted.key() != service.task_definition {
        changes.push(DeploymentChange::Start(deployment(&api, &state, service.id, wanted)?).into());
    }
    api.apply(changes).await?;
    show(&api, &query.cluster, &name).await
}

/// Removes a service: its tasks are stopped, then it goes with its rules and target groups.
#[utoipa::path(delete, path = "/services/{service}", params(("service" = ServiceName, Path), ClusterQuery, Precondition), responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Delete"))))]
pub(crate) async fn remove(
    _: May<ServiceDelete>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(query): Parameters<ClusterQuery>,
    precondition: Precondition,
) -> Result<Tagged<api::Service>, Problem> {
    let state = api.state();
    let service = service(&state, &query.cluster, &name)?;
    precondition.check(&service_settings(service))?;
    api.apply(vec![ServiceChange::Drain(service.id).into()]).await?;
    let known = api.state();
    // It may be gone already when it had no task: then it is shown as it was.
    let service = known.service(service.id).unwrap_or(service);
    let described = describe::service::service(&known, service, api.router_port());
    Ok(Tagged(entity_tag(&service_settings(service)), described))
}

/// Goes back to the deployment that completed before: its revision and its digests.
#[utoipa::path(post, path = "/services/{service}/rollback", params(("service" = ServiceName, Path), ClusterQuery, Precondition, IdempotencyParameter), responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Rollback"))))]
pub(crate) async fn rollback(
    _: May<ServiceRollback>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(query): Parameters<ClusterQuery>,
    precondition: Precondition,
) -> Result<Tagged<api::Service>, Problem> {
    let state = api.state();
    let service = service(&state, &query.cluster, &name)?;
    precondition.check(&service_settings(service))?;
    let target = rollback_target(&state, service).ok_or_else(|| {
        let detail = format!("service `{name}` has no earlier completed deployment to go back to");
        Problem::new(ProblemCode::NothingToRollBackTo, detail)
    })?;
    let now = api.now();
    let deployment = Deployment {
        id: DeploymentId::new(now, random()),
        service: service.id,
        task_definition: target.task_definition.clone(),
        images: target.images.clone(),
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: "rolled back by a person".to_owned(),
        failure: None,
        rollback_of: service.deployment,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    };
    api.apply(vec![DeploymentChange::Start(deployment).into()]).await?;
    show(&api, &query.cluster, &name).await
}

/// While a deployment is in progress or has failed: the last that completed. From a completed one: the one before it.
fn rollback_target<'a>(
    state: &model::State,
    service: &'a Service,
) -> Option<&'a CompletedDeployment> {
    let current = service.deployment.and_then(|id| state.deployment(id));
    match current.map(|deployment| deployment.rollout_state) {
        Some(RolloutState::Completed) | None => service.previous_completed.as_ref(),
        Some(RolloutState::InProgress | RolloutState::Failed) => service.last_completed.as_ref(),
    }
}

/// What happened to a service, newest first.
#[utoipa::path(get, path = "/services/{service}/events", params(("service" = ServiceName, Path), ListEventsQuery), responses((status = 200, body = Page<api::ServiceEvent>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Events"))))]
pub(crate) async fn events(
    _: May<ServiceEvents>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(query): Parameters<ListEventsQuery>,
) -> Result<Json<Page<api::ServiceEvent>>, Problem> {
    let id = service(&api.state(), &query.cluster, &name)?.id;
    let after = query.next_token.as_ref().map(page::read).transpose()?;
    let (items, next) = events_of(&api, id, after, query.limit.get()).await?;
    Ok(Json(Page { items, next_token: next.as_ref().map(page::write) }))
}
