//! Instances.

use access::{Resource, ResourceKind};
use api::{Done, IfMatch, Page, PageQuery, UpdateInstanceRequest};
use model::{Change, Instance, InstanceChange, Precondition, State, TaskChange};

use crate::describe::instance::instance;
use crate::entity_tag::{self, Tagged};
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View, find};

/// Instances by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListInstances(pub PageQuery);

/// One instance by id, or by name where only one has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetInstance(pub String);

/// Sets an instance ACTIVE or DRAINING.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateInstance {
    /// Which, by id or name.
    pub instance: String,
    /// The state that it is meant in.
    pub if_match: Option<IfMatch>,
    /// What to change.
    pub request: UpdateInstanceRequest,
}

/// Removes an instance that will not come back; what is left of its tasks counts as stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveInstance {
    /// Which, by id or name.
    pub instance: String,
    /// The state that it is meant in.
    pub if_match: Option<IfMatch>,
}

/// The instance of that id or its first digits, or of that name where only one has it.
pub(crate) fn named<'a>(state: &'a State, text: &str) -> Result<&'a Instance, Refused> {
    if let Some(found) = text.parse().ok().and_then(|id| state.instance(id)) {
        return Ok(found);
    }
    let mut of_name = state.instances().filter(|instance| instance.name == text);
    match (of_name.next(), of_name.next()) {
        (Some(only), None) => return Ok(only),
        (Some(_), Some(_)) => return Err(Refused::AmbiguousInstance(text.to_owned())),
        (None, _) => {}
    }
    let missing = || Refused::missing(ResourceKind::Instance, &text);
    let prefix = text.parse().map_err(|_no_id| missing())?;
    let ids = state.instances().map(|instance| instance.id);
    let id = find::only(ResourceKind::Instance, &prefix, ids)?;
    state.instance(id).ok_or_else(missing)
}

/// What is meant, as far as it is known.
pub(crate) fn resource(state: &State, text: &str) -> Resource {
    named(state, text)
        .map_or_else(|_| Resource::unknown(ResourceKind::Instance, &text), Resource::from)
}

fn unmodified(if_match: Option<&IfMatch>, text: &str) -> Option<Precondition> {
    let (name, text) = (Resource::unknown(ResourceKind::Instance, &text), text.to_owned());
    entity_tag::unmodified(if_match, name.to_string(), move |state| {
        named(state, &text).ok().map(entity_tag::of_instance)
    })
}

fn describe(view: &View<'_>, text: &str) -> Result<Tagged<api::Instance>, Refused> {
    let one = named(view.state, text)?;
    let value = instance(view.state, view.observed, &view.setup.lease, view.now, one);
    Ok(Tagged { tag: entity_tag::of_instance(one), value })
}

impl Request for ListInstances {
    const OPERATION: Operation = Operation::ListInstances;
    type Answer = Page<api::Instance>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Instance))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let View { state, observed, setup, now, .. } = *view;
            let seen = state.instances().filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&Instance| one.id;
            let describe = |one| instance(state, observed, &setup.lease, now, one);
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), describe)
        }))
    }
}

impl Request for GetInstance {
    const OPERATION: Operation = Operation::GetInstance;
    type Answer = Tagged<api::Instance>;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view.state, &self.0))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Instance, &self.0))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| describe(view, &self.0)))
    }
}

impl Request for UpdateInstance {
    const OPERATION: Operation = Operation::UpdateInstance;
    type Answer = Tagged<api::Instance>;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view.state, &self.instance))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Instance, &self.instance))
    }

    fn precondition(&self) -> Option<Precondition> {
        unmodified(self.if_match.as_ref(), &self.instance)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let instance = named(context.view.state, &self.instance)?.id;
        let UpdateInstanceRequest { status, allowed_address } = self.request;
        let status = status.map(|status| InstanceChange::SetStatus { instance, status });
        let address =
            allowed_address.map(|address| InstanceChange::AllowAddress { instance, address });
        let changes: Vec<Change> = status.into_iter().chain(address).map(Change::from).collect();
        if changes.is_empty() {
            return Err(Refused::NothingToUpdate);
        }
        Ok(Decision::change(changes, |view| describe(view, &self.instance)))
    }
}

impl Request for RemoveInstance {
    const OPERATION: Operation = Operation::RemoveInstance;
    type Answer = Done;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view.state, &self.instance))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Instance, &self.instance))
    }

    fn precondition(&self) -> Option<Precondition> {
        unmodified(self.if_match.as_ref(), &self.instance)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let View { state, observed, .. } = context.view;
        let id = named(state, &self.instance)?.id;
        if observed.connected(id) {
            return Err(Refused::InstanceConnected(self.instance.clone()));
        }
        let lost = state.tasks_on(id).map(|task| Change::from(TaskChange::Lose(task.id)));
        let removal = vec![InstanceChange::Remove(id).into()];
        Ok(Decision { each: lost.collect(), ..Decision::change(removal, |_| Ok(Done {})) })
    }
}
