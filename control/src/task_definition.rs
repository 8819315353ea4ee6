//! Task definitions.

use access::{Resource, ResourceKind};
use api::{ListTaskDefinitionsQuery, Page, TaskDefinitionReference};
use model::{State, TaskDefinition, TaskDefinitionChange};
use serde_json::Value;

use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, Setup, View, ecs};

/// Task definitions by family and revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTaskDefinitions(pub ListTaskDefinitionsQuery);

/// One task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetTaskDefinition(pub TaskDefinitionReference);

/// Registers a new revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterTaskDefinition(ecs::Definition);

impl RegisterTaskDefinition {
    /// From a document as people have it. What Berth does not have is refused, or left out and named in the answer.
    pub fn read(setup: &Setup, document: Value, leave_out: bool) -> Result<Self, Refused> {
        Ok(Self(ecs::read(setup, document, leave_out)?))
    }
}

/// The definition that is meant.
pub(crate) fn find<'a>(
    state: &'a State,
    reference: &TaskDefinitionReference,
) -> Result<&'a TaskDefinition, Refused> {
    let found = match reference {
        TaskDefinitionReference::Revision(key) => state.task_definition(key),
        TaskDefinitionReference::Latest(family) => state.latest_task_definition(family),
    };
    found.ok_or_else(|| Refused::missing(ResourceKind::TaskDefinition, reference))
}

/// What is meant, as far as it is known.
pub(crate) fn resource(state: &State, reference: &TaskDefinitionReference) -> Resource {
    match find(state, reference) {
        Ok(definition) => definition.into(),
        Err(_) => Resource::unknown(ResourceKind::TaskDefinition, reference),
    }
}

/// A definition as ECS describes it.
fn describe(definition: &TaskDefinition) -> api::TaskDefinition {
    api::TaskDefinition {
        task_definition: definition.key(),
        definition: definition.clone(),
        left_out: Vec::new(),
    }
}

impl Request for ListTaskDefinitions {
    const OPERATION: Operation = Operation::ListTaskDefinitions;
    type Answer = Page<api::TaskDefinition>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::TaskDefinition))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let query = &self.0;
            let is_of = |family| query.family.as_ref().is_none_or(|one| family == one);
            let all = view.state.task_definitions().filter(|one| is_of(&one.family));
            let seen = all.filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&TaskDefinition| (one.family.clone(), one.revision);
            page(seen, key, query.limit, query.next_token.as_ref(), describe)
        }))
    }
}

impl Request for GetTaskDefinition {
    const OPERATION: Operation = Operation::GetTaskDefinition;
    type Answer = api::TaskDefinition;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view.state, &self.0))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::TaskDefinition, &self.0))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| find(view.state, &self.0).map(describe)))
    }
}

impl Request for RegisterTaskDefinition {
    const OPERATION: Operation = Operation::RegisterTaskDefinition;
    type Answer = api::TaskDefinition;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::family(&self.0.request.family))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let ecs::Definition { request, cpu, memory, left_out } = &self.0;
        let definition = TaskDefinition {
            family: request.family.clone(),
            revision: next_revision(context.view.state, &request.family),
            container_definitions: request.container_definitions.clone(),
            cpu: *cpu,
            memory: *memory,
            registered_at: context.view.now,
        };
        let change = TaskDefinitionChange::Register(definition.clone()).into();
        Ok(Decision::change(vec![change], move |_| {
            let left_out = left_out.clone();
            Ok(api::TaskDefinition { left_out, ..describe(&definition) })
        }))
    }
}

/// The number that a new revision of a family has.
pub(crate) fn next_revision(state: &State, family: &model::Family) -> u32 {
    state.latest_task_definition(family).map_or(0, |last| last.revision) + 1
}
