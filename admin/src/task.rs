//! Tasks: those that run, those that have stopped, and their logs.

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::StreamExt as _;
use model::history::About;
use model::{
    ClusterName, ContainerName, ContainerOverride, DesiredStatus, History, HistoryQuery, Overrides,
    ServiceName, StopCode, Task, TaskChange, TaskContainer, TaskDefinition, TaskId, TaskStatus,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::may::{May, TaskGet, TaskList, TaskLogs, TaskRun, TaskStop};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path, default_cluster, known_cluster, random, service};
use crate::shape::task::TaskShape;
use crate::task_definition::{find, resolve};

/// Stopped tasks in an answer at most.
const MOST_STOPPED: usize = 200;
/// ECS's bound on the count of one `RunTask`.
const MOST_AT_ONCE: u32 = 10;
/// ECS's bound on `startedBy`.
const LONGEST_STARTED_BY: usize = 128;
/// ECS's bound on what a task changes in its definition: it stands in the task's row and in history.
const LONGEST_OVERRIDES: usize = 8_192;
/// ECS's bound on the reason of a stop.
const LONGEST_REASON: usize = 1_024;

/// Tasks, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tasks {
    tasks: Vec<TaskShape>,
}

/// Which tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    #[serde(default = "default_cluster")]
    #[param(value_type = Option<String>)]
    cluster: ClusterName,
    /// Only those of this service.
    #[param(value_type = Option<String>)]
    service_name: Option<ServiceName>,
    /// RUNNING, the default, or STOPPED.
    #[serde(default = "running")]
    #[param(value_type = Option<String>)]
    desired_status: DesiredStatus,
}

fn running() -> DesiredStatus {
    DesiredStatus::Running
}

/// Tasks that should run, or those that should not and those that have stopped, newest first.
#[utoipa::path(get, path = "/tasks", params(Which), responses((status = 200, body = Tasks), (status = "4XX", body = Problem)), extensions(("x-action" = json!("task:List"))))]
pub(crate) async fn list(
    _: May<TaskList>,
    State(api): State<Api>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Tasks>, Problem> {
    let (state, observed) = (api.state(), api.seen());
    known_cluster(&state, &which.cluster)?;
    let name = which.service_name.as_ref();
    let of =
        name.map(|name| service(&state, &which.cluster, name).map(|one| one.id)).transpose()?;
    let mut tasks: Vec<_> = state
        .tasks()
        .filter(|task| task.cluster == which.cluster && task.desired_status == which.desired_status)
        .filter(|task| of.is_none() || task.service == of)
        .map(|task| TaskShape::of(&state, &observed, task, None))
        .collect();
    tasks.reverse();
    if which.desired_status == DesiredStatus::Stopped {
        let about = of.map_or(About::All, About::Service);
        let query = HistoryQuery { about, limit: MOST_STOPPED * 4, after: None };
        let history = api.store.history(query).await?;
        let ended = history.into_iter().filter_map(|entry| match entry {
            History::Task { task, service_name } => Some((task, service_name)),
            History::Event(_) | History::Deployment(_) | History::Audit(_) => None,
        });
        let ended = ended.filter(|(task, _)| task.cluster == which.cluster).take(MOST_STOPPED);
        tasks.extend(ended.map(|(task, name)| {
            TaskShape::of(&state, &observed, &task, name.map(|name| name.to_string()))
        }));
    }
    Ok(Json(Tasks { tasks }))
}

/// A task that State or history knows, and the name of its service as history remembers it.
async fn known(api: &Api, id: TaskId) -> Result<(Task, Option<String>), Problem> {
    if let Some(task) = api.state().task(id) {
        return Ok((task.clone(), None));
    }
    let found = api.store.history(HistoryQuery::of_task(id)).await?;
    for entry in found {
        if let History::Task { task, service_name } = entry {
            return Ok((*task, service_name.map(|name| name.to_string())));
        }
    }
    Err(Problem::missing("task", &id.to_string()))
}

/// One task, also after it has stopped.
#[utoipa::path(get, path = "/tasks/{task}", params(("task" = String, Path)), responses((status = 200, body = TaskShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("task:Get"))))]
pub(crate) async fn get(
    _: May<TaskGet>,
    State(api): State<Api>,
    Path(id): Path<TaskId>,
) -> Result<Json<TaskShape>, Problem> {
    let (task, service_name) = known(&api, id).await?;
    Ok(Json(TaskShape::of(&api.state(), &api.seen(), &task, service_name)))
}

/// ECS's `RunTask`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RunWish {
    /// `family:revision`, or `family` for the newest.
    task_definition: String,
    /// 1 by default, 10 at most.
    #[serde(default = "one")]
    #[schema(value_type = Option<u32>)]
    count: u32,
    #[serde(default = "default_cluster")]
    #[schema(value_type = Option<String>)]
    cluster_name: ClusterName,
    /// ECS's `TaskOverride`: commands and environment by container.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    overrides: Overrides,
    /// Who starts it; the caller unless it is given.
    started_by: Option<String>,
}

fn one() -> u32 {
    1
}

/// Runs tasks without a service. They are placed at once, or stop with the reason why not.
#[utoipa::path(post, path = "/tasks", request_body = RunWish, responses((status = 201, body = Tasks), (status = "4XX", body = Problem)), extensions(("x-action" = json!("task:Run"))))]
pub(crate) async fn run(
    may: May<TaskRun>,
    State(api): State<Api>,
    Body(wish): Body<RunWish>,
) -> Result<(StatusCode, Json<Tasks>), Problem> {
    if !(1..=MOST_AT_ONCE).contains(&wish.count) {
        return Err(Problem::invalid(format!("count is {}; use 1 to {MOST_AT_ONCE}", wish.count)));
    }
    let started_by = wish.started_by.clone().unwrap_or_else(|| may.principal.to_string());
    if started_by.chars().count() > LONGEST_STARTED_BY {
        let detail = format!("startedBy is longer than {LONGEST_STARTED_BY} characters");
        return Err(Problem::invalid(detail));
    }
    let template = template(&api, &wish, started_by)?;
    let tasks: Vec<Task> = (0..wish.count)
        .map(|_| Task { id: TaskId::new(template.created_at, random()), ..template.clone() })
        .collect();
    api.apply(tasks.iter().map(|task| TaskChange::Create(task.clone()).into()).collect()).await?;
    let (state, observed) = (api.state(), api.seen());
    let shape = |task: &Task| TaskShape::of(&state, &observed, task, None);
    Ok((StatusCode::CREATED, Json(Tasks { tasks: tasks.iter().map(shape).collect() })))
}

fn template(api: &Api, wish: &RunWish, started_by: String) -> Result<Task, Problem> {
    let (state, now) = (api.state(), api.now());
    let definition = find(&state, &wish.task_definition)?;
    check_overrides(definition, &wish.overrides)?;
    let mut images = resolve(api, &state, definition)?;
    let containers = definition.container_definitions.iter().filter_map(|container| {
        let image = images.remove(&container.name)?;
        Some(TaskContainer::new(container.name.clone(), image))
    });
    Ok(Task {
        started_by,
        overrides: wish.overrides.clone(),
        resources: definition.resources(),
        containers: containers.collect(),
        ..Task::new(TaskId::new(now, random()), wish.cluster_name.clone(), definition.key(), now)
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

/// Why a task is stopped.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopWish {
    /// For the record; 1,024 characters at most.
    reason: Option<String>,
}

/// Stops a task: routers are done with it first, then its containers get SIGTERM.
#[utoipa::path(post, path = "/tasks/{task}/stop", params(("task" = String, Path)), request_body = StopWish, responses((status = 200, body = TaskShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("task:Stop"))))]
pub(crate) async fn stop(
    may: May<TaskStop>,
    State(api): State<Api>,
    Path(task): Path<TaskId>,
    Body(wish): Body<StopWish>,
) -> Result<Json<TaskShape>, Problem> {
    let reason = wish.reason.unwrap_or_else(|| format!("stopped by {}", may.principal));
    if reason.chars().count() > LONGEST_REASON {
        let detail = format!("the reason is longer than {LONGEST_REASON} characters");
        return Err(Problem::invalid(detail));
    }
    known(&api, task).await?;
    if api.state().task(task).is_some() {
        api.apply(vec![TaskChange::Stop { task, code: StopCode::UserInitiated, reason }.into()])
            .await?;
    }
    let (task, service_name) = known(&api, task).await?;
    Ok(Json(TaskShape::of(&api.state(), &api.seen(), &task, service_name)))
}

/// Which lines.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogsOf {
    /// Go on as lines come.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    follow: bool,
    /// Begin with this many of the last lines.
    tail: Option<u32>,
    /// Only this container.
    #[param(value_type = Option<String>)]
    container: Option<ContainerName>,
}

/// A task's log as text, each line as `CONTAINER TEXT`; after its end, its last lines.
#[utoipa::path(get, path = "/tasks/{task}/logs", params(("task" = String, Path), LogsOf), responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = Problem)), extensions(("x-action" = json!("task:Logs"))))]
pub(crate) async fn logs(
    _: May<TaskLogs>,
    State(api): State<Api>,
    Path(id): Path<TaskId>,
    Parameters(of): Parameters<LogsOf>,
) -> Result<Response, Problem> {
    let (task, _) = known(&api, id).await?;
    if let Some(name) =
        of.container.as_ref().filter(|n| !task.containers.iter().any(|c| c.name == **n))
    {
        let detail = format!("task `{id}` has no container `{name}`");
        return Err(Problem::not_found("ContainerNotFound", detail));
    }
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    match task.instance() {
        Some(instance) if task.last_status != TaskStatus::Stopped => {
            let opened = api.logs.open(instance, id, of.container, of.follow, of.tail).await;
            let stream = opened.map_err(Problem::unavailable)?;
            let body = HttpBody::from_stream(stream.map(Ok::<Bytes, std::convert::Infallible>));
            Ok((text, body).into_response())
        }
        _ => Ok((text, kept_lines(&task, &of)).into_response()),
    }
}

fn kept_lines(task: &Task, of: &LogsOf) -> String {
    let wanted = |one: &&TaskContainer| of.container.as_ref().is_none_or(|name| one.name == *name);
    let lines = task.containers.iter().filter(wanted).flat_map(|container| {
        let all = container.log_tail.len();
        let skip = all.saturating_sub(of.tail.map_or(all, |tail| tail as usize));
        container.log_tail.iter().skip(skip).map(|line| format!("{} {line}\n", container.name))
    });
    lines.collect()
}
