//! Tasks: those that run, those that have stopped, and their logs.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use access::{Resource, ResourceKind};
use api::{ListTasksQuery, LogsQuery, Page, StopTaskRequest};
use model::history::About;
use model::{
    ContainerName, DesiredStatus, History, HistoryQuery, IdPrefix, InstanceId, ServiceId,
    ServiceName, State, StopCause, Stopped, Task, TaskChange, TaskContainer, TaskId, TaskStatus,
};

use crate::describe::task::task;
use crate::page::page;
use crate::{Context, Decision, Operation, Past, Refused, Request, View, find, sentence, stopped};

/// ECS's bound on the reason of a stop.
const LONGEST_REASON: usize = 1_024;

/// Tasks that should run, or those that should not and those that have stopped, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTasks(pub ListTasksQuery);

/// One task, also after it has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetTask(pub IdPrefix);

/// Stops a task: routers are done with it first, then its containers get SIGTERM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopTask {
    /// Which.
    pub task: IdPrefix,
    /// Why.
    pub request: StopTaskRequest,
}

/// A task's log; after its end, what its instance keeps of it, or its last lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetTaskLogs {
    /// Of which task.
    pub task: IdPrefix,
    /// Which lines.
    pub query: LogsQuery,
}

/// Where the lines of a task's log are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogSource {
    /// At the agent of this instance.
    Agent {
        /// The task.
        task: TaskId,
        /// The instance.
        instance: InstanceId,
        /// Only this container.
        container: Option<ContainerName>,
        /// What is kept with the task where the agent has nothing of it any more, each line as `CONTAINER TEXT`; None while
        /// the task has not stopped.
        kept: Option<String>,
    },
    /// Kept with the task, each line as `CONTAINER TEXT`.
    Kept(String),
}

/// Rows of history that are looked through for a task by its first digits.
const ROWS: usize = 4_000;

/// The task of State that is meant; an error where several are.
fn in_state<'a>(state: &'a State, prefix: &IdPrefix) -> Result<Option<&'a Task>, Refused> {
    if let Some(id) = prefix.id() {
        return Ok(state.task(id));
    }
    match find::only(ResourceKind::Task, prefix, state.tasks().map(|task| task.id)) {
        Ok(id) => Ok(state.task(id)),
        Err(Refused::Missing { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// What to read where State does not know a task.
fn history(state: &State, prefix: &IdPrefix, past: &Past) -> Option<HistoryQuery> {
    if !past.rows.is_empty() || !matches!(in_state(state, prefix), Ok(None)) {
        return None;
    }
    Some(match prefix.id() {
        Some(id) => HistoryQuery::of_task(id),
        None => HistoryQuery { about: About::All, limit: ROWS, after: None },
    })
}

/// A task that State or history knows, and the name of its service as history remembers it.
fn known(view: &View<'_>, prefix: &IdPrefix) -> Result<(Task, Option<ServiceName>), Refused> {
    if let Some(task) = in_state(view.state, prefix)? {
        return Ok((task.clone(), None));
    }
    let remembered = || {
        view.past.rows.iter().filter_map(|(_, row)| {
            let History::Task { task, service_name } = row else { return None };
            Some((task, service_name))
        })
    };
    let ids: BTreeSet<TaskId> = remembered().map(|(task, _)| task.id).collect();
    let id = find::only(ResourceKind::Task, prefix, ids.into_iter())?;
    let found = remembered().find(|(task, _)| task.id == id);
    let (task, service_name) = found.ok_or_else(|| Refused::missing(ResourceKind::Task, prefix))?;
    Ok((task.as_ref().clone(), service_name.clone()))
}

/// What is meant, as far as it is known.
fn resource(view: &View<'_>, prefix: &IdPrefix) -> Resource {
    match known(view, prefix) {
        Ok((task, _)) => Resource::from(&task),
        Err(_) => Resource::unknown(ResourceKind::Task, prefix),
    }
}

fn describe(view: &View<'_>, prefix: &IdPrefix) -> Result<api::Task, Refused> {
    let (found, service_name) = known(view, prefix)?;
    Ok(task(view.state, view.observed, &found, service_name))
}

impl ListTasks {
    /// The service that is asked about, where one is.
    fn service(&self, state: &State) -> Result<Option<ServiceId>, Refused> {
        let named = self.0.service_name.as_ref();
        let found = named.map(|name| find::service(state, &self.0.cluster, name)).transpose()?;
        Ok(found.map(|service| service.id))
    }
}

impl Request for ListTasks {
    const OPERATION: Operation = Operation::ListTasks;
    type Answer = Page<api::Task>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any_in(ResourceKind::Task, &self.0.cluster))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        match self.0.desired_status {
            DesiredStatus::Running => None,
            DesiredStatus::Stopped => {
                stopped::history(state, &self.0, self.service(state).ok()?, past)
            }
        }
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let (state, query) = (context.view.state, &self.0);
        find::cluster(state, &query.cluster)?;
        let of = self.service(state)?;
        Ok(Decision::read(move |view| {
            let shows = |task: &Task| view.shows(Self::OPERATION, task);
            if query.desired_status == DesiredStatus::Stopped {
                return stopped::page_of(view, query, of, shows);
            }
            let is_asked_for = |task: &&Task| {
                task.cluster == query.cluster && (of.is_none() || task.service == of)
            };
            let tasks = view.state.tasks().filter(|task| task.wanted()).filter(is_asked_for);
            let describe = |one| task(view.state, view.observed, one, None);
            let key = |one: &&Task| Reverse(one.id);
            let seen = tasks.filter(|one| shows(one));
            page(seen, key, query.limit, query.next_token.as_ref(), describe)
        }))
    }
}

impl Request for GetTask {
    const OPERATION: Operation = Operation::GetTask;
    type Answer = api::Task;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view, &self.0))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Task, &self.0))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        history(state, &self.0, past)
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| describe(view, &self.0)))
    }
}

impl Request for StopTask {
    const OPERATION: Operation = Operation::StopTask;
    const DECIDES_ON_HISTORY: bool = true;
    type Answer = api::Task;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view, &self.task))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Task, &self.task))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        history(state, &self.task, past)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let view = &context.view;
        let said = self.request.reason.clone();
        let reason = said.unwrap_or_else(|| sentence::stopped_by(&view.caller.principal));
        if reason.chars().count() > LONGEST_REASON {
            return Err(Refused::TooLong { field: "reason", most: LONGEST_REASON });
        }
        let task = known(view, &self.task)?.0.id;
        let stopped = Stopped::new(StopCause::UserRequest, reason);
        let change = view.state.task(task).map(|_| TaskChange::Stop { task, stopped }.into());
        let changes = change.into_iter().collect();
        Ok(Decision::change(changes, |view| describe(view, &self.task)))
    }
}

impl Request for GetTaskLogs {
    const OPERATION: Operation = Operation::GetTaskLogs;
    type Answer = LogSource;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(resource(view, &self.task))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Task, &self.task))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        history(state, &self.task, past)
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let (task, _) = known(view, &self.task)?;
            let container = self.query.container.clone();
            let has = |name: &ContainerName| task.containers().iter().any(|one| one.name == *name);
            if let Some(name) = container.as_ref().filter(|name| !has(name)) {
                let (task, container) = (task.id, name.clone());
                return Err(Refused::ContainerMissing { task, container });
            }
            Ok(match task.instance() {
                Some(instance) if task.last_status() != TaskStatus::Stopped => {
                    LogSource::Agent { task: task.id, instance, container, kept: None }
                }
                Some(instance) if view.observed.connected(instance) => {
                    let kept = Some(kept_lines(&task, &self.query));
                    LogSource::Agent { task: task.id, instance, container, kept }
                }
                _ => LogSource::Kept(kept_lines(&task, &self.query)),
            })
        }))
    }
}

fn kept_lines(task: &Task, query: &LogsQuery) -> String {
    let wanted =
        |one: &&TaskContainer| query.container.as_ref().is_none_or(|name| one.name == *name);
    let lines = task.containers().iter().filter(wanted).flat_map(|container| {
        let all = container.log_tail.len();
        let skip = all.saturating_sub(query.tail.map_or(all, |tail| tail as usize));
        container.log_tail.iter().skip(skip).map(|line| format!("{} {line}\n", container.name))
    });
    lines.collect()
}
