//! From an image in the registry to a service with a URL, in one batch: `berth deploy`.
//!
//! What is not said is inferred from the image or kept from the service as it is, and everything inferred is answered with
//! where it came from. It builds on the revision that was asked for last. A revision is made only when something changed,
//! and a deployment started only when something else than now would run, or be reached otherwise.

use access::Resource;
use api::{DeployRequest, DeployResponse, InferredValue};
use model::change::ServiceUpdate;
use model::{
    Change, DeploymentCause, DeploymentChange, NewService, RolledOut, Service, ServiceChange,
    ServiceId, ServiceRevision, State, TaskDefinition,
};

use crate::refused::DeployError;
use crate::sentence::Origin;
use crate::{Context, Decision, Operation, Refused, Request, View, deployment, describe, resolve};

mod definition;
mod health;
mod routing;

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
    /// The revision of it that was asked for last.
    current: Option<&'a ServiceRevision>,
    /// The definition that this runs.
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
        let current = known.and_then(|service| state.requested_revision(service));
        let old = current.and_then(|revision| state.task_definition(&revision.task_definition));
        let inputs = Inputs { context, state, request, known, current, old };
        let mut changeset = Changeset::default();
        let definition = inputs.definition(&mut changeset)?;
        let service = match known {
            Some(known) => inputs.change(known, &mut changeset),
            None => inputs.create(&mut changeset),
        };
        let load_balancers = inputs.load_balancers(&definition, &mut changeset)?;
        let images = resolve::images(&context.view, &definition)?;
        let guards = resolve::guards(state, images.values());
        let image = images.values().next().cloned().ok_or(DeployError::NoContainer)?;
        let contents = deployment::Contents { definition: &definition, images, load_balancers };
        let revision = deployment::next_revision(context, service, contents);
        let starts = !deployment::runs_already(state, &revision);
        let number = if starts { revision.number } else { inputs.current_number() };
        let Changeset { mut changes, inferred } = changeset;
        let new = starts.then(|| {
            let cause = DeploymentCause::Requested;
            deployment::start(context, service, RolledOut::New(revision), cause)
        });
        let deployment_id = new.as_ref().map(|deployment| deployment.id);
        changes.extend(new.map(|deployment| DeploymentChange::Start(deployment).into()));
        let created = known.is_none();
        let decision = Decision::change(changes, move |view| {
            let service = view.state.service(service);
            Ok(DeployResponse {
                service_name: request.name.clone(),
                cluster_name: request.cluster_name.clone(),
                revision: number,
                deployment_id,
                created,
                task_definition: definition.key(),
                image: image.into(),
                url: service.and_then(|one| describe::url_to_be(view.state, one, view.router_port)),
                inferred,
            })
        });
        Ok(Decision { guards, ..decision })
    }
}

impl Inputs<'_> {
    /// A service that is there keeps what is not said. These settings act at once, as in ECS.
    fn change(&self, known: &Service, changeset: &mut Changeset) -> ServiceId {
        let wanted = self.request.desired_count;
        changeset.choose("replicas", wanted, || (known.desired_count, Origin::AsBefore));
        changeset.changes.push(
            ServiceChange::Update(ServiceUpdate {
                service: Some(known.id),
                desired_count: wanted,
                health_check_grace_period_seconds: self.request.health_check_grace_period_seconds,
                ..Default::default()
            })
            .into(),
        );
        known.id
    }

    fn create(&self, changeset: &mut Changeset) -> ServiceId {
        let (now, request) = (self.context.view.now, self.request);
        let count = request.desired_count;
        let service = NewService {
            desired_count: changeset.choose("replicas", count, || (1, Origin::Default)),
            health_check_grace_period_seconds: request
                .health_check_grace_period_seconds
                .unwrap_or_default(),
            created_by: self.context.view.caller.principal.to_string(),
            ..NewService::new(
                ServiceId::new(now, self.context.random()),
                request.cluster_name.clone(),
                request.name.clone(),
                now,
            )
        };
        let id = service.id;
        changeset.changes.push(ServiceChange::Create(service).into());
        id
    }

    fn current_number(&self) -> u32 {
        self.current.map_or(0, |revision| revision.number)
    }
}
