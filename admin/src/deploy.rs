//! From an image in the registry to a service with a URL, in one batch: `berth deploy`.
//!
//! What is not said is inferred from the image or kept from the service as it is, and everything inferred is answered with
//! where it came from. A revision is registered only when something changed, and a deployment started only when something
//! else than now would run.

use axum::Json;
use axum::extract::State;
use model::{
    Change, ClusterName, Deployment, DeploymentChange, HealthCheckProtocol, ImageReference,
    KeyValue, LoadBalancer, RolloutState, RoutingChange, Service, ServiceChange, ServiceId,
    ServiceName, TargetGroup, TargetGroupId, TaskDefinition,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::may::{May, ServiceDeploy};
use crate::problem::Problem;
use crate::request::{Body, default_cluster, random};
use crate::service::deployment;

mod definition;
mod routing;

/// Until a target that leaves is cut off, in seconds.
const DEREGISTRATION_DELAY: u32 = 30;

/// What to deploy; what is absent is inferred, or stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeployWish {
    /// The service, its task definition family and its container.
    #[schema(value_type = String)]
    name: ServiceName,
    #[serde(default = "default_cluster")]
    #[schema(value_type = Option<String>)]
    cluster_name: ClusterName,
    /// `NAME:latest` by default.
    #[schema(value_type = Option<String>)]
    image: Option<ImageReference>,
    /// `family:revision`, or `family` for the newest: runs this instead of one made from the image.
    task_definition: Option<String>,
    /// The lowest port of the image's EXPOSE by default, or the first that the task definition maps.
    port: Option<u16>,
    /// `NAME.localhost` by default.
    host: Option<String>,
    /// `/` by default.
    path: Option<String>,
    /// `/` by default: a GET of it that answers 200 to 399 is healthy.
    health_path: Option<String>,
    /// HTTP, or TCP for a connection alone.
    #[schema(value_type = Option<String>)]
    health_protocol: Option<HealthCheckProtocol>,
    /// Sets these; variables that are not named stay.
    #[schema(value_type = Option<Vec<Object>>)]
    environment: Option<Vec<KeyValue>>,
    /// CPU units; 256 by default, 1024 is one core.
    cpu: Option<u64>,
    /// MiB; 256 by default.
    memory: Option<u64>,
    /// 1 by default.
    desired_count: Option<u32>,
    /// Instead of the image's CMD.
    command: Option<Vec<String>>,
}

/// What was deployed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Deployed {
    service_name: String,
    cluster_name: String,
    /// The deployment that was started; null where nothing had to be rolled out.
    deployment_id: Option<String>,
    /// Whether the service is new.
    created: bool,
    task_definition: String,
    /// `repository@digest`.
    image: String,
    url: Option<String>,
    inferred: Vec<Inferred>,
}

/// A value that was not said, and where it came from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Inferred {
    name: &'static str,
    value: String,
    origin: &'static str,
}

/// What becomes of a wish: the changes, and what to answer.
#[derive(Debug, Default)]
struct Draft {
    changes: Vec<Change>,
    inferred: Vec<Inferred>,
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
        self.inferred.push(Inferred { name, value: value.to_string(), origin });
    }
}

/// What a wish is judged by.
#[derive(Debug, Clone, Copy)]
struct Context<'a> {
    api: &'a Api,
    state: &'a model::State,
    wish: &'a DeployWish,
    /// The service as it is, unless it is new.
    known: Option<&'a Service>,
    /// The definition that it runs now.
    old: Option<&'a TaskDefinition>,
}

/// Deploys an image of the registry as a service: makes or changes everything that it takes.
#[utoipa::path(post, path = "/deploy", request_body = DeployWish, responses((status = 200, body = Deployed), (status = "4XX", body = Problem)), extensions(("x-action" = json!("service:Deploy"))))]
pub(crate) async fn deploy(
    may: May<ServiceDeploy>,
    State(api): State<Api>,
    Body(wish): Body<DeployWish>,
) -> Result<Json<Deployed>, Problem> {
    let state = api.state();
    let known = state.service_named(&wish.cluster_name, &wish.name);
    let old = known.and_then(|service| state.task_definition(&service.task_definition));
    let context = Context { api: &api, state: &state, wish: &wish, known, old };
    let mut draft = Draft::default();
    let definition = context.definition(&mut draft)?;
    let service = match known {
        Some(known) => context.change(known, &definition, &mut draft),
        None => context.create(&may, &definition, &mut draft)?,
    };
    context.routing(&service, &mut draft)?;
    let new = deployment(&api, &state, service.id, &definition)?;
    let image = new.images.values().next().map_or_else(String::new, ToString::to_string);
    let started = (!context.runs_already(&new)).then_some(new);
    draft
        .changes
        .extend(started.clone().map(|deployment| DeploymentChange::Start(deployment).into()));
    api.apply(draft.changes).await?;
    Ok(Json(Deployed {
        service_name: wish.name.to_string(),
        cluster_name: wish.cluster_name.to_string(),
        deployment_id: started.map(|deployment| deployment.id.to_string()),
        created: known.is_none(),
        task_definition: definition.key().to_string(),
        image,
        url: crate::shape::url(&api.state(), &service, api.router_port()),
        inferred: draft.inferred,
    }))
}

impl Context<'_> {
    /// A service that is there keeps what is not said.
    fn change(&self, known: &Service, definition: &TaskDefinition, draft: &mut Draft) -> Service {
        let wanted = self.wish.desired_count;
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
        let (now, wish) = (self.api.now(), self.wish);
        let balancer = self.balancer(definition, draft)?;
        let service = Service {
            desired_count: draft.choose("replicas", wish.desired_count, || (1, "the default")),
            load_balancers: balancer.into_iter().collect(),
            created_by: may.principal.to_string(),
            ..Service::new(
                ServiceId::new(now, random()),
                wish.cluster_name.clone(),
                wish.name.clone(),
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
        let (now, wish) = (self.api.now(), self.wish);
        let Some((container_name, container_port)) = self.taker(definition, draft)? else {
            return Ok(None);
        };
        let group = TargetGroup {
            id: TargetGroupId::new(now, random()),
            cluster: wish.cluster_name.clone(),
            name: wish.name.as_str().parse().expect("a service name is a target group name"),
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
