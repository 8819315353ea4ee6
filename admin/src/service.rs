//! Services.

use api::{
    ClusterQuery, CreateServiceRequest, ListEventsQuery, ListServicesQuery, Page, RollbackRequest,
    UpdateServiceRequest,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use control::{
    CreateService, DeleteService, GetService, ListServiceEvents, ListServiceRevisions,
    ListServices, NamedService, RollbackService, UpdateService,
};
use model::ServiceName;

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::if_match::{Precondition, Tagged};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// All services of a cluster.
#[utoipa::path(get, path = "/services", operation_id = "ListServices", params(ListServicesQuery), responses((status = 200, body = Page<api::Service>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:List"))))]
pub(crate) async fn list(
    who: Authorized<ListServices>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListServicesQuery>,
) -> Result<Json<Page<api::Service>>, Problem> {
    who.execute(&api, ListServices(query)).await.map(Json)
}

/// One service with its deployments and last events.
#[utoipa::path(get, path = "/services/{service}", operation_id = "GetService", params(("service" = ServiceName, Path), ClusterQuery), responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Get"))))]
pub(crate) async fn get(
    who: Authorized<GetService>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(ClusterQuery { cluster }): Parameters<ClusterQuery>,
) -> Result<Tagged<api::Service>, Problem> {
    let service = NamedService { cluster, name, if_match: None };
    who.execute(&api, GetService(service)).await.map(Tagged::from)
}

/// Makes a service and starts its first deployment.
#[utoipa::path(post, path = "/services", operation_id = "CreateService", params(IdempotencyParameter), request_body = CreateServiceRequest, responses((status = 201, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Create"))))]
pub(crate) async fn create(
    who: Authorized<CreateService>,
    State(api): State<Api>,
    Body(request): Body<CreateServiceRequest>,
) -> Result<(StatusCode, Tagged<api::Service>), Problem> {
    let service = who.execute(&api, CreateService(request)).await?;
    Ok((StatusCode::CREATED, service.into()))
}

/// Changes a service.
#[utoipa::path(patch, path = "/services/{service}", operation_id = "UpdateService", params(("service" = ServiceName, Path), ClusterQuery, Precondition), request_body = UpdateServiceRequest, responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Update"))))]
pub(crate) async fn update(
    who: Authorized<UpdateService>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(ClusterQuery { cluster }): Parameters<ClusterQuery>,
    Precondition { if_match }: Precondition,
    Body(request): Body<UpdateServiceRequest>,
) -> Result<Tagged<api::Service>, Problem> {
    let service = NamedService { cluster, name, if_match };
    who.execute(&api, UpdateService { service, request }).await.map(Tagged::from)
}

/// Removes a service: its tasks are stopped, then it goes with its rules and target groups.
#[utoipa::path(delete, path = "/services/{service}", operation_id = "DeleteService", params(("service" = ServiceName, Path), ClusterQuery, Precondition), responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Delete"))))]
pub(crate) async fn remove(
    who: Authorized<DeleteService>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(ClusterQuery { cluster }): Parameters<ClusterQuery>,
    Precondition { if_match }: Precondition,
) -> Result<Tagged<api::Service>, Problem> {
    let service = NamedService { cluster, name, if_match };
    who.execute(&api, DeleteService(service)).await.map(Tagged::from)
}

/// Goes back to a revision that proved itself, with everything that it says.
#[utoipa::path(post, path = "/services/{service}/rollback", operation_id = "RollbackService", params(("service" = ServiceName, Path), ClusterQuery, Precondition, IdempotencyParameter), request_body = RollbackRequest, responses((status = 200, body = api::Service, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Rollback"))))]
pub(crate) async fn rollback(
    who: Authorized<RollbackService>,
    State(api): State<Api>,
    Path(name): Path<ServiceName>,
    Parameters(ClusterQuery { cluster }): Parameters<ClusterQuery>,
    Precondition { if_match }: Precondition,
    Body(request): Body<RollbackRequest>,
) -> Result<Tagged<api::Service>, Problem> {
    let service = NamedService { cluster, name, if_match };
    who.execute(&api, RollbackService { service, request }).await.map(Tagged::from)
}

/// The revisions of a service that are kept, newest first.
#[utoipa::path(get, path = "/services/{service}/revisions", operation_id = "ListServiceRevisions", params(("service" = ServiceName, Path), ListEventsQuery), responses((status = 200, body = Page<api::ServiceRevision>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Get"))))]
pub(crate) async fn revisions(
    who: Authorized<ListServiceRevisions>,
    State(api): State<Api>,
    Path(service): Path<ServiceName>,
    Parameters(query): Parameters<ListEventsQuery>,
) -> Result<Json<Page<api::ServiceRevision>>, Problem> {
    who.execute(&api, ListServiceRevisions { service, query }).await.map(Json)
}

/// What happened to a service, newest first.
#[utoipa::path(get, path = "/services/{service}/events", operation_id = "ListServiceEvents", params(("service" = ServiceName, Path), ListEventsQuery), responses((status = 200, body = Page<api::ServiceEvent>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Events"))))]
pub(crate) async fn events(
    who: Authorized<ListServiceEvents>,
    State(api): State<Api>,
    Path(service): Path<ServiceName>,
    Parameters(query): Parameters<ListEventsQuery>,
) -> Result<Json<Page<api::ServiceEvent>>, Problem> {
    who.execute(&api, ListServiceEvents { service, query }).await.map(Json)
}
