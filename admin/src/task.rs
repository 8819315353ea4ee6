//! Tasks: those that run, those that have stopped, and their logs.

use std::cmp::Reverse;

use api::{
    ListTasksQuery, LogsQuery, Page, ProblemCode, RunTaskRequest, RunTaskResponse, StopTaskRequest,
};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use model::{
    ContainerOverride, DesiredStatus, History, HistoryQuery, Overrides, ServiceName, StopCause,
    Stopped, Task, TaskChange, TaskContainer, TaskDefinition, TaskId, TaskStatus,
};

use crate::Api;
use crate::describe;
use crate::idempotency::IdempotencyParameter;
use crate::may::{May, TaskGet, TaskList, TaskLogs, TaskRun, TaskStop};
use crate::page::page;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path, known_cluster, random, service};
use crate::task_definition::{find, resolve};

mod stopped;

/// ECS's bound on the count of one `RunTask`.
const MOST_AT_ONCE: u32 = 10;
/// ECS's bound on `startedBy`.
const LONGEST_STARTED_BY: usize = 128;
/// ECS's bound on what a task changes in its definition: it stands in the task's row and in history.
const LONGEST_OVERRIDES: usize = 8_192;
/// ECS's bound on the reason of a stop.
const LONGEST_REASON: usize = 1_024;

/// Tasks that should run, or those that should not and those that have stopped, newest first.
#[utoipa::path(get, path = "/tasks", params(ListTasksQuery), responses((status = 200, body = Page<api::Task>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:List"))))]
pub(crate) async fn list(
    _: May<TaskList>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTasksQuery>,
) -> Result<Json<Page<api::Task>>, Problem> {
    let (state, observed) = (api.state(), api.seen());
    known_cluster(&state, &query.cluster)?;
    let name = query.service_name.as_ref();
    let of = name.map(|name| service(&state, &query.cluster, name)).transpose()?;
    let of = of.map(|service| service.id);
    if query.desired_status == DesiredStatus::Stopped {
        return stopped::list(&api, &query, of).await.map(Json);
    }
    let tasks = state
        .tasks()
        .filter(|task| task.cluster == query.cluster && task.wanted())
        .filter(|task| of.is_none() || task.service == of);
    let describe = |task| describe::task::task(&state, &observed, task, None);
    let key = |task: &&Task| Reverse(task.id);
    page(tasks, key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// A task that State or history knows, and the name of its service as history remembers it.
async fn known(api: &Api, id: TaskId) -> Result<(Task, Option<ServiceName>), Problem> {
    if let Some(task) = api.state().task(id) {
        return Ok((task.clone(), None));
    }
    let found = api.store.history(HistoryQuery::of_task(id)).await?;
    for entry in found {
        if let History::Task { task, service_name } = entry {
            return Ok((*task, service_name));
        }
    }
    Err(Problem::missing("task", &id.to_string()))
}

/// One task, also after it has stopped.
#[utoipa::path(get, path = "/tasks/{task}", params(("task" = TaskId, Path)), responses((status = 200, body = api::Task), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Get"))))]
pub(crate) async fn get(
    _: May<TaskGet>,
    State(api): State<Api>,
    Path(id): Path<TaskId>,
) -> Result<Json<api::Task>, Problem> {
    let (task, service_name) = known(&api, id).await?;
    Ok(Json(describe::task::task(&api.state(), &api.seen(), &task, service_name)))
}

/// Runs tasks without a service. They are placed at once, or stop with the reason why not.
#[utoipa::path(post, path = "/tasks", params(IdempotencyParameter), request_body = RunTaskRequest, responses((status = 201, body = RunTaskResponse), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Run"))))]
pub(crate) async fn run(
    may: May<TaskRun>,
    State(api): State<Api>,
    Body(request): Body<RunTaskRequest>,
) -> Result<(StatusCode, Json<RunTaskResponse>), Problem> {
    if !(1..=MOST_AT_ONCE).contains(&request.count) {
        return Err(Problem::invalid(format!(
            "count is {}; use 1 to {MOST_AT_ONCE}",
            request.count
        )));
    }
    let started_by = request.started_by.clone().unwrap_or_else(|| may.principal.to_string());
    if started_by.chars().count() > LONGEST_STARTED_BY {
        let detail = format!("startedBy is longer than {LONGEST_STARTED_BY} characters");
        return Err(Problem::invalid(detail));
    }
    let template = template(&api, &request, started_by)?;
    let tasks: Vec<Task> = (0..request.count)
        .map(|_| Task { id: TaskId::new(template.created_at, random()), ..template.clone() })
        .collect();
    api.apply(tasks.iter().map(|task| TaskChange::Create(task.clone()).into()).collect()).await?;
    let (state, observed) = (api.state(), api.seen());
    let describe = |task: &Task| describe::task::task(&state, &observed, task, None);
    Ok((StatusCode::CREATED, Json(RunTaskResponse { tasks: tasks.iter().map(describe).collect() })))
}

fn template(api: &Api, request: &RunTaskRequest, started_by: String) -> Result<Task, Problem> {
    let (state, now) = (api.state(), api.now());
    let definition = find(&state, &request.task_definition)?;
    check_overrides(definition, &request.overrides)?;
    let mut images = resolve(api, &state, definition)?;
    let containers = definition.container_definitions.iter().filter_map(|container| {
        let image = images.remove(&container.name)?;
        Some(TaskContainer::new(container.name.clone(), image))
    });
    Ok(Task {
        started_by,
        overrides: request.overrides.clone(),
        resources: definition.resources(),
        containers: containers.collect(),
        ..Task::new(TaskId::new(now, random()), request.cluster_name.clone(), definition.key(), now)
    })
}

/// Overrides name containers that there are, and make nothing of them that could not be registered.
fn check_overrides(definition: &TaskDefinition, overrides: &Overrides) -> Result<(), Problem> {
    let size = overrides.container_overrides.iter().map(size).sum::<usize>();
    if size > LONGEST_OVERRIDES {
        let detail = format!("the overrides have {size} bytes in all; {LONGEST_OVERRIDES} at most");
        return Err(Problem::invalid(detail));
    }
    let mut overridden = definition.clone();
    for over in &overrides.container_overrides {
        let mut containers = overridden.container_definitions.iter_mut();
        let Some(container) = containers.find(|container| container.name == over.name) else {
            let key = definition.key();
            let detail = format!("`{key}` has no container `{}` to override", over.name);
            return Err(Problem::invalid(detail));
        };
        container.environment.clone_from(&over.environment);
    }
    overridden
        .check()
        .map_err(|error| Problem::invalid(format!("the overrides cannot be: {error}")))
}

fn size(over: &ContainerOverride) -> usize {
    let environment = over.environment.iter().map(|one| one.name.len() + one.value.len());
    let command = over.command.iter().flatten().map(String::len);
    over.name.as_str().len() + environment.chain(command).sum::<usize>()
}

/// Stops a task: routers are done with it first, then its containers get SIGTERM.
#[utoipa::path(post, path = "/tasks/{task}/stop", params(("task" = TaskId, Path)), request_body = StopTaskRequest, responses((status = 200, body = api::Task), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Stop"))))]
pub(crate) async fn stop(
    may: May<TaskStop>,
    State(api): State<Api>,
    Path(task): Path<TaskId>,
    Body(request): Body<StopTaskRequest>,
) -> Result<Json<api::Task>, Problem> {
    let reason = request.reason.unwrap_or_else(|| format!("stopped by {}", may.principal));
    if reason.chars().count() > LONGEST_REASON {
        let detail = format!("the reason is longer than {LONGEST_REASON} characters");
        return Err(Problem::invalid(detail));
    }
    known(&api, task).await?;
    if api.state().task(task).is_some() {
        api.apply(vec![
            TaskChange::Stop { task, stopped: Stopped::new(StopCause::UserRequest, reason) }.into(),
        ])
        .await?;
    }
    let (task, service_name) = known(&api, task).await?;
    Ok(Json(describe::task::task(&api.state(), &api.seen(), &task, service_name)))
}

/// A task's log as text, each line as `CONTAINER TEXT`; after its end, its last lines.
#[utoipa::path(get, path = "/tasks/{task}/logs", params(("task" = TaskId, Path), LogsQuery), responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Logs"))))]
pub(crate) async fn logs(
    _: May<TaskLogs>,
    State(api): State<Api>,
    Path(id): Path<TaskId>,
    Parameters(query): Parameters<LogsQuery>,
) -> Result<Response, Problem> {
    let (task, _) = known(&api, id).await?;
    if let Some(name) =
        query.container.as_ref().filter(|n| !task.containers.iter().any(|c| c.name == **n))
    {
        let detail = format!("task `{id}` has no container `{name}`");
        return Err(Problem::new(ProblemCode::ContainerNotFound, detail));
    }
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    match task.instance() {
        Some(instance) if task.last_status != TaskStatus::Stopped => {
            let opened =
                api.logs.open(instance, id, query.container, query.follow, query.tail).await;
            let stream = opened.map_err(Problem::unavailable)?;
            let body = HttpBody::from_stream(stream.map(Ok::<Bytes, std::convert::Infallible>));
            Ok((text, body).into_response())
        }
        _ => Ok((text, kept_lines(&task, &query)).into_response()),
    }
}

fn kept_lines(task: &Task, query: &LogsQuery) -> String {
    let wanted =
        |one: &&TaskContainer| query.container.as_ref().is_none_or(|name| one.name == *name);
    let lines = task.containers.iter().filter(wanted).flat_map(|container| {
        let all = container.log_tail.len();
        let skip = all.saturating_sub(query.tail.map_or(all, |tail| tail as usize));
        container.log_tail.iter().skip(skip).map(|line| format!("{} {line}\n", container.name))
    });
    lines.collect()
}
