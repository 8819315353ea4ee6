//! Tasks: those that run, those that have stopped, and their logs.

use std::convert::Infallible;

use api::{ListTasksQuery, LogsQuery, Page, RunTaskRequest, RunTaskResponse, StopTaskRequest};
use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use control::{GetTask, GetTaskLogs, ListTasks, LogSource, RunTask, StopTask};
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use model::IdPrefix;

use crate::Api;
use crate::authorized::Authorized;
use crate::idempotency::IdempotencyParameter;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// Tasks that should run, or those that should not and those that have stopped, newest first.
#[utoipa::path(get, path = "/tasks", operation_id = "ListTasks", params(ListTasksQuery), responses((status = 200, body = Page<api::Task>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:List"))))]
pub(crate) async fn list(
    who: Authorized<ListTasks>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTasksQuery>,
) -> Result<Json<Page<api::Task>>, Problem> {
    who.execute(&api, ListTasks(query)).await.map(Json)
}

/// One task, also after it has stopped.
#[utoipa::path(get, path = "/tasks/{task}", operation_id = "GetTask", params(("task" = inline(IdPrefix), Path)), responses((status = 200, body = api::Task), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Get"))))]
pub(crate) async fn get(
    who: Authorized<GetTask>,
    State(api): State<Api>,
    Path(id): Path<IdPrefix>,
) -> Result<Json<api::Task>, Problem> {
    who.execute(&api, GetTask(id)).await.map(Json)
}

/// Runs tasks without a service. They are placed at once, or stop with the reason why not.
#[utoipa::path(post, path = "/tasks", operation_id = "RunTask", params(IdempotencyParameter), request_body = RunTaskRequest, responses((status = 201, body = RunTaskResponse), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Run"))))]
pub(crate) async fn run(
    who: Authorized<RunTask>,
    State(api): State<Api>,
    Body(request): Body<RunTaskRequest>,
) -> Result<(StatusCode, Json<RunTaskResponse>), Problem> {
    let tasks = who.execute(&api, RunTask(request)).await?;
    Ok((StatusCode::CREATED, Json(tasks)))
}

/// Stops a task: routers are done with it first, then its containers get SIGTERM.
#[utoipa::path(post, path = "/tasks/{task}/stop", operation_id = "StopTask", params(("task" = inline(IdPrefix), Path)), request_body = StopTaskRequest, responses((status = 200, body = api::Task), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Stop"))))]
pub(crate) async fn stop(
    who: Authorized<StopTask>,
    State(api): State<Api>,
    Path(task): Path<IdPrefix>,
    Body(request): Body<StopTaskRequest>,
) -> Result<Json<api::Task>, Problem> {
    who.execute(&api, StopTask { task, request }).await.map(Json)
}

/// A task's log as text, each line as `CONTAINER TEXT`. After its end it is what its instance keeps: the last MiB of each
/// container's for seven days; where that is gone, the last lines.
#[utoipa::path(get, path = "/tasks/{task}/logs", operation_id = "GetTaskLogs", params(("task" = inline(IdPrefix), Path), LogsQuery), responses((status = 200, body = String, content_type = "text/plain"), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("task:Logs"))))]
pub(crate) async fn logs(
    who: Authorized<GetTaskLogs>,
    State(api): State<Api>,
    Path(task): Path<IdPrefix>,
    Parameters(query): Parameters<LogsQuery>,
) -> Result<Response, Problem> {
    let LogsQuery { follow, tail, .. } = query;
    let text = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    let (task, instance, container, kept) = match who
        .execute(&api, GetTaskLogs { task, query })
        .await?
    {
        LogSource::Kept(lines) => return Ok((text, lines).into_response()),
        LogSource::Agent { task, instance, container, kept } => (task, instance, container, kept),
    };
    let lines = match (api.logs.open(instance, task, container, follow, tail).await, kept) {
        (Ok(lines), None) => lines,
        (Ok(lines), Some(kept)) => or_else(lines, kept).await,
        (Err(_), Some(kept)) => stream::iter([Bytes::from(kept)]).boxed(),
        (Err(cause), None) => return Err(Problem::unavailable(cause)),
    };
    Ok((text, HttpBody::from_stream(lines.map(Ok::<Bytes, Infallible>))).into_response())
}

/// The stream, or the text where the stream is empty.
async fn or_else(mut lines: BoxStream<'static, Bytes>, text: String) -> BoxStream<'static, Bytes> {
    match lines.next().await {
        Some(first) => stream::iter([first]).chain(lines).boxed(),
        // A stream that has ended must not be asked again.
        None => stream::iter([Bytes::from(text)]).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As logs of agents come: it panics when it is asked again after its end.
    fn lines(count: u32) -> BoxStream<'static, Bytes> {
        let line =
            |left: u32| async move { (left > 0).then(|| (Bytes::from("a line\n"), left - 1)) };
        stream::unfold(count, line).boxed()
    }

    #[tokio::test]
    async fn what_is_kept_stands_for_a_stream_that_brings_nothing_and_is_added_to_none() {
        let all = async |count| {
            or_else(lines(count), "kept\n".to_owned()).await.collect::<Vec<_>>().await
        };
        assert_eq!(all(0).await, ["kept\n"]);
        assert_eq!(all(2).await, ["a line\n", "a line\n"]);
    }
}
