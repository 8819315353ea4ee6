//! Tasks without a service.

use access::{Resource, ResourceKind};
use api::{RunTaskRequest, RunTaskResponse};
use model::{ContainerOverride, NewTask, Overrides, TaskChange, TaskDefinition, TaskId};

use crate::describe::task::task;
use crate::{Context, Decision, Operation, Permission, Refused, Request, View};
use crate::{resolve, task_definition};

/// ECS's bound on the count of one `RunTask`.
const MOST_AT_ONCE: u32 = 10;
/// ECS's bound on `startedBy`.
const LONGEST_STARTED_BY: usize = 128;
/// ECS's bound on what a task changes in its definition: it stands in the task's row and in history.
const LONGEST_OVERRIDES: usize = 8_192;

/// Runs tasks without a service. They are placed at once, or stop with the reason why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTask(pub RunTaskRequest);

impl Request for RunTask {
    const OPERATION: Operation = Operation::RunTask;
    type Answer = RunTaskResponse;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(task_definition::resource(view.state, &self.0.task_definition))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::TaskDefinition, &self.0.task_definition))
    }

    /// Of the definition, and in the cluster.
    fn permissions(&self, view: &View<'_>) -> Result<Vec<Permission>, Refused> {
        let on = |resource| Permission { action: Self::OPERATION.action(), resource };
        Ok(vec![on(self.resource(view)?), on(Resource::cluster(&self.0.cluster_name))])
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let RunTaskRequest { count, started_by, .. } = &self.0;
        if !(1..=MOST_AT_ONCE).contains(count) {
            return Err(Refused::CountOutOfRange { count: *count, most: MOST_AT_ONCE });
        }
        let caller = || context.view.caller.principal.to_string();
        let started_by = started_by.clone().unwrap_or_else(caller);
        if started_by.chars().count() > LONGEST_STARTED_BY {
            return Err(Refused::TooLong { field: "startedBy", most: LONGEST_STARTED_BY });
        }
        let template = template(context, &self.0, started_by)?;
        let made: Vec<NewTask> = (0..*count)
            .map(|_| NewTask {
                id: TaskId::new(template.created_at, context.random()),
                ..template.clone()
            })
            .collect();
        let changes = made.iter().map(|task| TaskChange::Create(task.clone()).into()).collect();
        let guards =
            resolve::guards(context.view.state, template.images.iter().map(|(_, image)| image));
        let decision = Decision::change(changes, move |view| {
            // The scheduler may have gone on with them by now.
            let now = |one: &NewTask| {
                view.state.task(one.id).cloned().unwrap_or_else(|| one.clone().into())
            };
            let describe = |one| task(view.state, view.observed, &now(one), None);
            Ok(RunTaskResponse { tasks: made.iter().map(describe).collect() })
        });
        Ok(Decision { guards, ..decision })
    }
}

fn template(
    context: &Context<'_>,
    request: &RunTaskRequest,
    started_by: String,
) -> Result<NewTask, Refused> {
    let (view, now) = (&context.view, context.view.now);
    let definition = task_definition::find(view.state, &request.task_definition)?;
    check_overrides(definition, &request.overrides)?;
    let mut images = resolve::images(view, definition)?;
    let containers = definition.container_definitions.iter();
    let images = containers.filter_map(|container| images.remove_entry(&container.name)).collect();
    let id = TaskId::new(now, context.random());
    Ok(NewTask {
        started_by,
        overrides: request.overrides.clone(),
        resources: definition.resources(),
        images,
        ..NewTask::new(id, request.cluster_name.clone(), definition.key(), now)
    })
}

/// Overrides name containers that there are, and make nothing of them that could not be registered.
fn check_overrides(definition: &TaskDefinition, overrides: &Overrides) -> Result<(), Refused> {
    let bytes = overrides.container_overrides.iter().map(size).sum::<usize>();
    if bytes > LONGEST_OVERRIDES {
        return Err(Refused::OverridesTooLarge { bytes, most: LONGEST_OVERRIDES });
    }
    let mut overridden = definition.clone();
    for over in &overrides.container_overrides {
        let mut containers = overridden.container_definitions.iter_mut();
        let Some(container) = containers.find(|container| container.name == over.name) else {
            let (definition, container) = (definition.key(), over.name.clone());
            return Err(Refused::NoContainerToOverride { definition, container });
        };
        container.environment.clone_from(&over.environment);
    }
    overridden.check().map_err(Refused::Overrides)
}

fn size(over: &ContainerOverride) -> usize {
    let environment = over.environment.iter().map(|one| one.name.len() + one.value.len());
    let command = over.command.iter().flatten().map(String::len);
    over.name.as_str().len() + environment.chain(command).sum::<usize>()
}
