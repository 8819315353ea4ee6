//! From an image in the registry to a service with a URL, in one batch: `berth deploy`.
//!
//! What is not said is inferred from the image or kept from the service as it is, and everything inferred is answered with
//! where it came from. A revision is registered only when something changed, and a deployment started only when something
//! else than now would run.

use access::Resource;
use api::{DeployRequest, DeployResponse, InferredValue};
use model::change::ServiceUpdate;
use model::{
    Change, Deployment, DeploymentChange, LoadBalancer, NewService, RolloutState, RoutingChange,
    Service, ServiceChange, ServiceId, State, TargetGroup, TargetGroupId, TaskDefinition,
};

use crate::refused::DeployError;
use crate::sentence::Origin;
use crate::{Context, Decision, Operation, Refused, Request, View, deployment, describe};

mod definition;
mod routing;

/// Until a target that leaves is cut off, in seconds.
const DEREGISTRATION_DELAY: u32 = 30;

/// Deploys an image of the registry as a service: makes or changes everything that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployService(pub DeployRequest);

/// What becomes of a request: the changes, and what was inferred.
#[derive(Debug, Default)]
struct Changeset {
    changes: Vec<Change>,
    inferred: Vec<InferredValue>,
}

impl Changeset {
    /// The value that was said, or else the one that is kept or inferred, which is then shown.
    fn choose<T: ToString>(
        &mut self,
        name: &'static str,
        said: Option<T>,
        other: impl FnOnce() -> (T, Origin),
    ) -> T {
        said.unwrap_or_else(|| {
            let (value, origin) = other();
            self.infer(name, &value, origin);
            value
        })
    }

    fn infer(&mut self, name: &'static str, value: &impl ToString, origin: Origin) {
        let (name, value, origin) = (name.to_owned(), value.to_string(), origin.sentence());
        self.inferred.push(InferredValue { name, value, origin });
    }
}

/// What a request is judged by.
#[derive(Debug, Clone, Copy)]
struct Inputs<'a> {
    context: &'a Context<'a>,
    state: &'a State,
    request: &'a DeployRequest,
    /// The service as it is, unless it is new.
    known: Option<&'a Service>,
    /// The definition that it runs now.
    old: Option<&'a TaskDefinition>,
}

impl Request for DeployService {
    const OPERATION: Operation = Operation::DeployService;
    type Answer = DeployResponse;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::service(&self.0.cluster_name, &self.0.name))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let (state, request) = (context.view.state, &self.0);
        let known = state.service_named(&request.cluster_name, &request.name);
        let old = known.and_then(|service| state.task_definition(&service.task_definition));
        let inputs = Inputs { context, state, request, known, old };
        let mut changeset = Changeset::default();
        let definition = inputs.definition(&mut changeset)?;
        let service = match known {
            Some(known) => inputs.change(known, &definition, &mut changeset),
            None => inputs.create(&definition, &mut changeset)?,
        };
        inputs.routing(&service, &mut changeset)?;
        let new = deployment::of(context, service.id, &definition)?;
        let image = new.images.values().next().cloned().ok_or(DeployError::NoContainer)?;
        let started = (!inputs.runs_already(&new)).then_some(new);
        let Changeset { mut changes, inferred } = changeset;
        let deployment_id = started.as_ref().map(|deployment| deployment.id);
        changes.extend(started.map(|deployment| DeploymentChange::Start(deployment).into()));
        let created = known.is_none();
        Ok(Decision::change(changes, move |view| {
            Ok(DeployResponse {
                service_name: request.name.clone(),
                cluster_name: request.cluster_name.clone(),
                deployment_id,
                created,
                task_definition: definition.key(),
                image: image.into(),
                url: describe::url(view.state, &service, view.router_port),
                inferred,
            })
        }))
    }
}

impl Inputs<'_> {
    /// A service that is there keeps what is not said.
    fn change(
        &self,
        known: &Service,
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Service {
        let wanted = self.request.desired_count;
        changeset.choose("replicas", wanted, || (known.desired_count, Origin::AsBefore));
        changeset.changes.push(
            ServiceChange::Update(ServiceUpdate {
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
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Result<Service, DeployError> {
        let (now, request) = (self.context.view.now, self.request);
        let balancer = self.balancer(definition, changeset)?;
        let count = request.desired_count;
        let service = NewService {
            desired_count: changeset.choose("replicas", count, || (1, Origin::Default)),
            load_balancers: balancer.into_iter().collect(),
            created_by: self.context.view.caller.principal.to_string(),
            ..NewService::new(
                ServiceId::new(now, self.context.random()),
                request.cluster_name.clone(),
                request.name.clone(),
                definition.key(),
                now,
            )
        };
        changeset.changes.push(ServiceChange::Create(service.clone()).into());
        Ok(service.into())
    }

    /// Where the traffic of a new service goes, with a target group of its own; None where its definition maps no port.
    fn balancer(
        &self,
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Result<Option<LoadBalancer>, DeployError> {
        let (now, request) = (self.context.view.now, self.request);
        let Some((container_name, container_port)) = self.taker(definition, changeset)? else {
            return Ok(None);
        };
        let group = TargetGroup {
            id: TargetGroupId::new(now, self.context.random()),
            cluster: request.cluster_name.clone(),
            name: request.name.as_str().parse().expect("a service name is a target group name"),
            health_check: self.health_check(None, changeset)?,
            deregistration_delay_seconds: DEREGISTRATION_DELAY,
            created_at: now,
        };
        let target_group = group.id;
        changeset.changes.push(RoutingChange::PutTargetGroup(group).into());
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
