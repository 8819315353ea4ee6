//! Services.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::change::ServiceUpdate as Settings;
use model::service::CompletedDeployment;
use model::{
    ClusterName, Deployment, DeploymentChange, DeploymentConfiguration, DeploymentId, History,
    HistoryQuery, RolloutState, Service, ServiceId, ServiceName, TaskDefinition,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::may::{
    May, ServiceCreate, ServiceDelete, ServiceEvents, ServiceGet, ServiceList, ServiceRollback,
    ServiceUpdate,
};
use crate::problem::Problem;
use crate::request::{
    Body, InCluster, Parameters, Path, default_cluster, known_cluster, random, service,
};
use crate::shape::service::{EventShape, ServiceShape};
use crate::task_definition::{find, resolve};

/// Events that come with a service.
const EVENTS_SHOWN: usize = 20;
/// Events in one answer at most.
const MOST_EVENTS: usize = 1_000;

/// All services of a cluster.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Services {
    services: Vec<ServiceShape>,
}

/// All services of a cluster.
#[utoipa::path(get, path = "/services", params(InCluster), responses((status = 200, body = Services), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:List"))))]
pub(crate) async fn list(
    _: May<ServiceList>,
    State(api): State<Api>,
    Parameters(of): Parameters<InCluster>,
) -> Result<Json<Services>, Problem> {
    let state = api.state();
    known_cluster(&state, &of.cluster)?;
    let services = state.services().filter(|service| service.cluster == of.cluster);
    let port = api.router_port();
    let shape = |one| ServiceShape::of(&state, one, port);
    Ok(Json(Services { services: services.map(shape).collect() }))
}

/// The service with its last events.
pub(crate) async fn shape(
    api: &Api,
    cluster: &ClusterName,
    name: &ServiceName,
) -> Result<Json<ServiceShape>, Problem> {
    let state = api.state();
    let service = service(&state, cluster, name)?;
    let mut shape = ServiceShape::of(&state, service, api.router_port());
    shape.events = events_of(api, service.id, EVENTS_SHOWN).await?;
    Ok(Json(shape))
}

async fn events_of(api: &Api, id: ServiceId, limit: usize) -> Result<Vec<EventShape>, Problem> {
    // Tasks and deployments stand among the events: read some more than are shown.
    let history = api.store.history(HistoryQuery::of_service(id, limit * 3)).await?;
    let events = history.iter().filter_map(|entry| match entry {
        History::Event(event) => Some(EventShape::of(event)),
        History::Task { .. } | History::Deployment(_) | History::Audit(_) => None,
    });
    Ok(events.take(limit).collect())
}

/// One service with its deployments and last events.
#[utoipa::path(get, path = "/services/{service}", params(("service" = String, Path), InCluster), responses((status = 200, body = ServiceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Get"))))]
pub(crate) async fn get(
    _: May<ServiceGet>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(of): Parameters<InCluster>,
) -> Result<Json<ServiceShape>, Problem> {
    shape(&api, &of.cluster, &name).await
}

/// A service without traffic; `POST /deploy` makes one with a target group and a rule.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceWish {
    #[schema(value_type = String)]
    service_name: ServiceName,
    #[serde(default = "default_cluster")]
    #[schema(value_type = Option<String>)]
    cluster_name: ClusterName,
    /// `family:revision`, or `family` for the newest.
    task_definition: String,
    /// How many tasks should run.
    desired_count: u32,
    /// ECS's `DeploymentConfiguration`.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    deployment_configuration: DeploymentConfiguration,
    /// Whether a push to a tag that it names rolls out by itself; true by default.
    #[serde(default = "yes")]
    #[schema(value_type = Option<bool>)]
    follow_tags: bool,
}

fn yes() -> bool {
    true
}

/// Makes a service and starts its first deployment.
#[utoipa::path(post, path = "/services", request_body = ServiceWish, responses((status = 201, body = ServiceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Create"))))]
pub(crate) async fn create(
    may: May<ServiceCreate>,
    State(api): State<Api>,
    Body(wish): Body<ServiceWish>,
) -> Result<(StatusCode, Json<ServiceShape>), Problem> {
    let state = api.state();
    let definition = find(&state, &wish.task_definition)?;
    let (cluster, name) = (wish.cluster_name.clone(), wish.service_name.clone());
    let service = Service {
        desired_count: wish.desired_count,
        deployment_configuration: wish.deployment_configuration,
        follow_tags: wish.follow_tags,
        created_by: may.principal.to_string(),
        ..Service::new(
            ServiceId::new(api.now(), random()),
            wish.cluster_name,
            wish.service_name,
            definition.key(),
            api.now(),
        )
    };
    let deployment = deployment(&api, &state, service.id, definition)?;
    api.apply(vec![
        model::ServiceChange::Create(service).into(),
        DeploymentChange::Start(deployment).into(),
    ])
    .await?;
    Ok((StatusCode::CREATED, shape(&api, &cluster, &name).await?))
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
        rollback_of: None,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    })
}

/// New settings of a service; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ServiceChange {
    desired_count: Option<u32>,
    /// `family:revision`, or `family` for the newest; starts a deployment when it is another than now.
    task_definition: Option<String>,
    /// ECS's `DeploymentConfiguration`, as a whole.
    #[schema(value_type = Option<Object>)]
    deployment_configuration: Option<DeploymentConfiguration>,
    follow_tags: Option<bool>,
    health_check_grace_period_seconds: Option<u32>,
    /// Starts a deployment though nothing changed.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    force_new_deployment: bool,
}

/// Changes a service.
#[utoipa::path(patch, path = "/services/{service}", params(("service" = String, Path), InCluster), request_body = ServiceChange, responses((status = 200, body = ServiceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Update"))))]
pub(crate) async fn update(
    _: May<ServiceUpdate>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(of): Parameters<InCluster>,
    Body(change): Body<ServiceChange>,
) -> Result<Json<ServiceShape>, Problem> {
    let state = api.state();
    let service = service(&state, &of.cluster, &name)?;
    let mut changes = vec![
        model::ServiceChange::Update(Settings {
            service: Some(service.id),
            desired_count: change.desired_count,
            deployment_configuration: change.deployment_configuration,
            health_check_grace_period_seconds: change.health_check_grace_period_seconds,
            follow_tags: change.follow_tags,
        })
        .into(),
    ];
    let wanted = match &change.task_definition {
        Some(definition) => find(&state, definition)?,
        None => find(&state, &service.task_definition.to_string())?,
    };
    if change.force_new_deployment || wanted.key() != service.task_definition {
        changes.push(DeploymentChange::Start(deployment(&api, &state, service.id, wanted)?).into());
    }
    api.apply(changes).await?;
    shape(&api, &of.cluster, &name).await
}

/// Removes a service: its tasks are stopped, then it goes with its rules and target groups.
#[utoipa::path(delete, path = "/services/{service}", params(("service" = String, Path), InCluster), responses((status = 200, body = ServiceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Delete"))))]
pub(crate) async fn remove(
    _: May<ServiceDelete>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(of): Parameters<InCluster>,
) -> Result<Json<ServiceShape>, Problem> {
    let state = api.state();
    let service = service(&state, &of.cluster, &name)?;
    api.apply(vec![model::ServiceChange::Drain(service.id).into()]).await?;
    let known = api.state();
    // It may be gone already when it had no task: then it is shown as it was.
    let service = known.service(service.id).unwrap_or(service);
    Ok(Json(ServiceShape::of(&known, service, api.router_port())))
}

/// Goes back to the deployment that completed before: its revision and its digests.
#[utoipa::path(post, path = "/services/{service}/rollback", params(("service" = String, Path), InCluster), responses((status = 200, body = ServiceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Rollback"))))]
pub(crate) async fn rollback(
    _: May<ServiceRollback>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(of): Parameters<InCluster>,
) -> Result<Json<ServiceShape>, Problem> {
    let state = api.state();
    let service = service(&state, &of.cluster, &name)?;
    let target = rollback_target(&state, service).ok_or_else(|| {
        let detail = format!("service `{name}` has no earlier completed deployment to go back to");
        Problem::conflict("NothingToRollBackTo", detail)
    })?;
    let now = api.now();
    let deployment = Deployment {
        id: DeploymentId::new(now, random()),
        service: service.id,
        task_definition: target.task_definition.clone(),
        images: target.images.clone(),
        rollout_state: RolloutState::InProgress,
        rollout_state_reason: "rolled back by a person".to_owned(),
        rollback_of: service.deployment,
        failed_tasks: 0,
        last_failure_at: None,
        created_at: now,
        updated_at: now,
    };
    api.apply(vec![DeploymentChange::Start(deployment).into()]).await?;
    shape(&api, &of.cluster, &name).await
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
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    events: Vec<EventShape>,
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsOf {
    #[serde(default = "default_cluster")]
    #[param(value_type = Option<String>)]
    cluster: ClusterName,
    /// 100 by default, 1000 at most.
    #[serde(default = "hundred")]
    #[param(value_type = Option<usize>)]
    limit: usize,
}

fn hundred() -> usize {
    100
}

/// What happened to a service, newest first.
#[utoipa::path(get, path = "/services/{service}/events", params(("service" = String, Path), EventsOf), responses((status = 200, body = Events), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Events"))))]
pub(crate) async fn events(
    _: May<ServiceEvents>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(of): Parameters<EventsOf>,
) -> Result<Json<Events>, Problem> {
    let id = service(&api.state(), &of.cluster, &name)?.id;
    Ok(Json(Events { events: events_of(&api, id, of.limit.min(MOST_EVENTS)).await? }))
}
