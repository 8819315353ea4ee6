//! `berth down`: everything that runs is stopped, cleanly.

use api::Remaining;
use axum::Json;
use axum::extract::State;
use model::{
    Change, Lease, Service, ServiceChange, StopCause, Stopped, Task, TaskChange, TaskStatus,
};

use crate::Api;
use crate::describe::count;
use crate::may::{InstallationStop, May};
use crate::problem::Problem;

/// What stays in State only for a router that is away, to keep its address from others, is not waited for: nothing of it
/// runs, and that router may never come back.
fn left(api: &Api) -> Json<Remaining> {
    let (state, seen, now) = (api.state(), api.seen(), api.now());
    let away = |id| seen.router_lease(id, &api.lease, now) >= Lease::Disconnected;
    let some_away = state.routers().any(|router| away(router.id));
    let counts = |task: &&Task| !some_away || may_have_containers(&state, task);
    let has_left =
        |service: &&Service| !some_away || state.tasks_of(service.id).any(|task| counts(&task));
    Json(Remaining {
        services: count(state.services().filter(has_left)),
        tasks: count(state.tasks().filter(counts)),
    })
}

fn may_have_containers(state: &model::State, task: &Task) -> bool {
    let is_on_a_host = task.instance().is_some_and(|id| state.instance(id).is_some());
    task.last_status != TaskStatus::Stopped || (is_on_a_host && !task.reaped)
}

/// How many services and tasks are still there.
#[utoipa::path(get, path = "/down", responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn progress(_: May<InstallationStop>, State(api): State<Api>) -> Json<Remaining> {
    left(&api)
}

/// Removes all services and stops all tasks; answers at once with how many there are.
#[utoipa::path(post, path = "/down", responses((status = 200, body = Remaining), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:Stop"))))]
pub(crate) async fn down(
    _: May<InstallationStop>,
    State(api): State<Api>,
) -> Result<Json<Remaining>, Problem> {
    let state = api.state();
    let drain = state.services().map(|service| Change::from(ServiceChange::Drain(service.id)));
    let stopped = Stopped::new(StopCause::InstallationDown, "stopped by `berth down`");
    let stop = state.tasks().filter(|task| task.wanted() && task.service.is_none());
    let stop =
        stop.map(|task| Change::from(TaskChange::Stop { task: task.id, stopped: stopped.clone() }));
    api.apply_each(drain.chain(stop).collect()).await?;
    Ok(left(&api))
}
