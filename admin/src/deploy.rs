//! From an image in the registry to a service with a URL, in one batch: `berth deploy`.
//!
//! What is not said is inferred from the image or kept from the service as it is, and everything inferred is answered with
//! where it came from. A revision is registered only when something changed, and a deployment started only when something
//! else than now would run.

use api::{DeployRequest, DeployResponse, InferredValue};
use axum::Json;
use axum::extract::State;
use model::{
    Change, Deployment, DeploymentChange, LoadBalancer, RolloutState, RoutingChange, Service,
    ServiceChange, ServiceId, TargetGroup, TargetGroupId, TaskDefinition,
};

use crate::Api;
use crate::describe;
use crate::idempotency::IdempotencyParameter;
use crate::may::{May, ServiceDeploy};
use crate::problem::Problem;
use crate::request::{Body, random};
use crate::service::deployment;

mod definition;
mod routing;

/// Until a target that leaves is cut off, in seconds.
const DEREGISTRATION_DELAY: u32 = 30;

/// What becomes of a request: the changes, and what to answer.
#[derive(Debug, Default)]
struct Draft {
    changes: Vec<Change>,
    inferred: Vec<InferredValue>,
}

impl Draft {
    /// The value that was said, or else the one that is kept or inferred, which is then shown.
    fn choose<T: ToString>(
        &mut self,
        name: &'static str,
        said: Option<T>,
        other: impl FnOnce() -> (T, &'static str),
    ) -> T {
        said.unwrap_or_else(|| {
            let (value, origin) = other();
            self.infer(name, &value, origin);
            value
        })
    }

    fn infer(&mut self, name: &'static str, value: &impl ToString, origin: &'static str) {
        self.inferred.push(InferredValue {
            name: name.to_owned(),
            value: value.to_string(),
            origin: origin.to_owned(),
        });
    }
}

/// What a request is judged by.
#[derive(Debug, Clone, Copy)]
struct Context<'a> {
    api: &'a Api,
    state: &'a model::State,
    request: &'a DeployRequest,
    /// The service as it is, unless it is new.
    known: Option<&'a Service>,
    /// The definition that it runs now.
    old: Option<&'a TaskDefinition>,
}

/// Deploys an image of the registry as a service: makes or changes everything that it takes.
#[utoipa::path(post, path = "/deploy", params(IdempotencyParameter), request_body = DeployRequest, responses((status = 200, body = DeployResponse), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("service:Deploy"))))]
pub(crate) async fn deploy(
    may: May<ServiceDeploy>,
    State(api): State<Api>,
    Body(request): Body<DeployRequest>,
) -> Result<Json<DeployResponse>, Problem> {
    let state = api.state();
    let known = state.service_named(&request.cluster_name, &request.name);
    let old = known.and_then(|service| state.task_definition(&service.task_definition));
    let context = Context { api: &api, state: &state, request: &request, known, old };
    let mut draft = Draft::default();
    let definition = context.definition(&mut draft)?;
    let service = match known {
        Some(known) => context.change(known, &definition, &mut draft),
        None => context.create(&may, &definition, &mut draft)?,
    };
    context.routing(&service, &mut draft)?;
    let new = deployment(&api, &state, service.id, &definition)?;
    let image = new.images.values().next().cloned();
    let image = image.ok_or_else(|| Problem::invalid("the task definition has no container"))?;
    let started = (!context.runs_already(&new)).then_some(new);
    draft
        .changes
        .extend(started.clone().map(|deployment| DeploymentChange::Start(deployment).into()));
    api.apply(draft.changes).await?;
    Ok(Json(DeployResponse {
        deployment_id: started.map(|deployment| deployment.id),
        created: known.is_none(),
        task_definition: definition.key(),
        image: image.into(),
        url: describe::url(&api.state(), &service, api.router_port()),
        inferred: draft.inferred,
        service_name: request.name,
        cluster_name: request.cluster_name,
    }))
}

impl Context<'_> {
    /// A service that is there keeps what is not said.
    fn change(&self, known: &Service, definition: &TaskDefinition, draft: &mut Draft) -> Service {
        let wanted = self.request.desired_count;
        draft.choose("replicas", wanted, || (known.desired_count, "as before"));
        draft.changes.push(
            ServiceChange::Update(model::change::ServiceUpdate {
                service: Some(known.id),
                desired_count: wanted,
                ..Default::default()
            })
            .into(),
        );
        Service { task_definition: definition.key(), ..known.clone() }
    }

    fn create(
        &self,
        may: &May<ServiceDeploy>,
        definition: &TaskDefinition,
        draft: &mut Draft,
    ) -> Result<Service, Problem> {
        let (now, request) = (self.api.now(), self.request);
        let balancer = self.balancer(definition, draft)?;
        let service = Service {
            desired_count: draft.choose("replicas", request.desired_count, || (1, "the default")),
            load_balancers: balancer.into_iter().collect(),
            created_by: may.principal.to_string(),
            ..Service::new(
                ServiceId::new(now, random()),
                request.cluster_name.clone(),
                request.name.clone(),
                definition.key(),
                now,
            )
        };
        draft.changes.push(ServiceChange::Create(service.clone()).into());
        Ok(service)
    }

    /// Where the traffic of a new service goes, with a target group of its own; None where its definition maps no port.
    fn balancer(
        &self,
        definition: &TaskDefinition,
        draft: &mut Draft,
    ) -> Result<Option<LoadBalancer>, Problem> {
        let (now, request) = (self.api.now(), self.request);
        let Some((container_name, container_port)) = self.taker(definition, draft)? else {
            return Ok(None);
        };
        let group = TargetGroup {
            id: TargetGroupId::new(now, random()),
            cluster: request.cluster_name.clone(),
            name: request.name.as_str().parse().expect("a service name is a target group name"),
            health_check: self.health_check(None, draft)?,
            deregistration_delay_seconds: DEREGISTRATION_DELAY,
            created_at: now,
        };
        let target_group = group.id;
        draft.changes.push(RoutingChange::PutTargetGroup(group).into());
        Ok(Some(LoadBalancer { target_group, container_name, container_port }))
    }

    /// Whether the service runs or rolls out exactly this already.
    fn runs_already(&self, new: &Deployment) -> bool {
        let current = self.known.and_then(|known| known.deployment);
        current.and_then(|id| self.state.deployment(id)).is_some_and(|current| {
            current.rollout_state != RolloutState::Failed
                && current.task_definition == new.task_definition
                && current.images == new.images
        })
    }
}
