//! Waits until a deployment ends, shows each task on the way, and says why it failed.

use std::time::Duration;

use api::client::{CallError, Client};
use api::{Container, Deployment, Limit, ListTasksQuery, Service, Task};
use model::{
    ClusterName, DeploymentId, DesiredStatus, EventKind, RolloutState, ServiceName, StopCause,
    StopCode,
};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Progress};
use crate::sentence;

mod stage;

use self::stage::{Stage, stage};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// How long "no instance fits" may last before it is an answer.
const UNPLACED: Duration = Duration::from_secs(5);
/// How long a server may be away, as while it is restarted.
const SILENT: Duration = Duration::from_secs(30);
/// Looks between two questions why tasks are not healthy yet.
const LOOKS: u32 = 10;
/// Log lines shown of a task that failed.
const LOG_LINES: usize = 10;

/// How long is waited, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Not longer than this.
    pub(crate) timeout: Duration,
    /// Until the deployment is COMPLETED, and not only until it has replaced the older tasks.
    pub(crate) until_completed: bool,
}

/// Waits as [`watch`] does, until somebody has had enough of it.
pub(crate) async fn rollout(
    client: &Client,
    service: &ServiceName,
    cluster: &ClusterName,
    wanted: DeploymentId,
    patience: Patience,
) -> Outcome {
    tokio::select! {
        outcome = watch(client, service, cluster, wanted, patience) => outcome,
        // Where the signal cannot be heard, it ends the process as it always did.
        Ok(()) = tokio::signal::ctrl_c() => {
            Err(Failure::Other(Exit::Interrupted, sentence::rollout_goes_on(service)))
        }
    }
}

/// Waits until the deployment `wanted` is complete, or says why it is not: it failed, or takes longer than people have patience. A
/// newer one that takes its place is waited for instead.
async fn watch(
    client: &Client,
    service: &ServiceName,
    cluster: &ClusterName,
    wanted: DeploymentId,
    Patience { timeout, until_completed }: Patience,
) -> Outcome {
    let mut progress = Progress::start();
    let mut waited = Duration::ZERO;
    let mut unplaced = Duration::ZERO;
    let mut silent = Duration::ZERO;
    let mut wanted = wanted;
    let mut tasks = Tasks::default();
    // Its record goes with its last task: what it said last is kept here.
    let mut record = None;
    loop {
        let service = match client.get_service(service, cluster).await {
            Err(error @ CallError::Unreachable { .. }) if silent >= SILENT => {
                return Err(error.into());
            }
            Err(CallError::Unreachable { .. }) => {
                progress.say(&sentence::rollout_silent());
                tokio::time::sleep(PERIOD).await;
                silent += PERIOD;
                continue;
            }
            answer => answer?.value,
        };
        silent = Duration::ZERO;
        record = service.deployments.iter().find(|one| one.id == wanted).cloned().or(record);
        let stage = stage(&service, wanted);
        if stage == Stage::Rolling
            && let Err(failure) = tasks.look(client, &service, &progress).await
            && failure.exit() != Exit::Unreachable
        {
            return Err(failure);
        }
        progress.say(&sentence::rollout_summary(&service, tasks.waiting.as_deref()));
        match stage {
            Stage::Done => {
                let baking = service.primary().filter(|one| one.bakes_until().is_some());
                match baking.and_then(|one| Some((one, one.bakes_until()?))) {
                    Some(_) if until_completed => {}
                    Some((primary, until)) => {
                        progress.keep(&sentence::rollout_bakes(primary, until));
                        return Ok(Exit::Success);
                    }
                    None => return Ok(Exit::Success),
                }
            }
            Stage::Failed => {
                drop(progress);
                return failed(client, &service, wanted, record.as_ref()).await;
            }
            Stage::Replaced(newer) => {
                progress.keep(&sentence::rollout_replaced(newer, wanted));
                wanted = newer;
            }
            Stage::Rolling => {}
        }
        let failure = service.placement_failure.as_ref();
        unplaced = if failure.is_some() { unplaced + PERIOD } else { Duration::ZERO };
        if let Some(failure) = failure.filter(|_| unplaced >= UNPLACED) {
            drop(progress);
            let sentence = sentence::rollout_not_placed(&service, failure);
            return Err(Failure::Other(Exit::Failure, sentence));
        }
        if waited >= timeout {
            drop(progress);
            let (name, waiting) = (&service.service_name, tasks.waiting.as_deref());
            let sentence = sentence::rollout_late(name, timeout.as_secs(), waiting);
            return Err(Failure::Other(Exit::Timeout, sentence));
        }
        tokio::time::sleep(PERIOD).await;
        waited += PERIOD;
    }
}

/// What becomes of the tasks of a deployment while it rolls.
#[derive(Debug, Default)]
struct Tasks {
    looks: u32,
    failed: u32,
    /// Why the running ones do not count yet.
    waiting: Option<String>,
}

impl Tasks {
    /// Says of each task that failed why it did, and finds out why others are not healthy yet.
    async fn look(
        &mut self,
        client: &Client,
        service: &Service,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(primary) = service.primary() else { return Ok(()) };
        if primary.failed_tasks > self.failed {
            let stopped = tasks_of(client, service, DesiredStatus::Stopped).await?;
            let blamed = stopped.iter().filter(|task| is_blamed(task, primary.id));
            for task in blamed.take((primary.failed_tasks - self.failed) as usize) {
                progress.keep(&sentence::task_stopped(task));
            }
            (self.failed, self.looks, self.waiting) = (primary.failed_tasks, 0, None);
        }
        let all_run = primary.rollout_state == RolloutState::InProgress
            && primary.pending_count == 0
            && primary.running_count != 0;
        if !all_run {
            (self.waiting, self.looks) = (None, 0);
        } else if self.looks.is_multiple_of(LOOKS) {
            let running = tasks_of(client, service, DesiredStatus::Running).await?;
            let mut of_it = running.into_iter().filter(|one| one.deployment_id == Some(primary.id));
            self.waiting = of_it.find_map(|task| task.health_reason);
            self.looks = 1;
        } else {
            self.looks += 1;
        }
        Ok(())
    }
}

/// The service's tasks that run, or those that stopped last.
async fn tasks_of(
    client: &Client,
    service: &Service,
    desired_status: DesiredStatus,
) -> Result<Vec<Task>, Failure> {
    let query = ListTasksQuery {
        service_name: Some(service.service_name.clone()),
        desired_status,
        limit: Limit::MOST,
        ..ListTasksQuery::of_cluster(service.cluster_name.clone())
    };
    Ok(client.list_tasks(&query).await?.items)
}

/// Whether a task was stopped for its health.
fn failed_health(task: &Task) -> bool {
    task.stop_cause.is_some_and(StopCause::is_failed_health)
}

/// Whether a task stopped by a fault of its own deployment, and not only because others failed.
fn is_blamed(task: &Task, deployment: DeploymentId) -> bool {
    let by_itself = task.stop_code != Some(StopCode::ServiceSchedulerInitiated);
    task.deployment_id == Some(deployment) && (by_itself || failed_health(task))
}

/// Says what went wrong: the deployment's reason, the last log lines of the last task of it that stopped, and what to do.
async fn failed(
    client: &Client,
    service: &Service,
    id: DeploymentId,
    record: Option<&Deployment>,
) -> Outcome {
    let stopped = tasks_of(client, service, DesiredStatus::Stopped).await?;
    // The newest may have been stopped only because the others failed.
    let blamed = stopped.iter().find(|task| is_blamed(task, id));
    let task = blamed.or_else(|| stopped.iter().find(|task| task.deployment_id == Some(id)));
    let mut advice = String::new();
    if let Some(task) = task {
        output::note(&sentence::task_stopped(task));
        task.containers.iter().for_each(log_tail);
        if task.containers.iter().any(|one| one.log_tail.len() > LOG_LINES) {
            output::note(&sentence::whole_log(task.task_id));
        }
        if failed_health(task) {
            advice = sentence::health_advice(service);
        }
    }
    let why = reason(service, id, record);
    let sentence = sentence::rollout_failed(service, id, why.as_deref(), &advice);
    Err(Failure::Other(Exit::DeploymentFailed, sentence))
}

/// Why it failed, as its record says; where that is gone already, as the service's events say.
fn reason(service: &Service, id: DeploymentId, record: Option<&Deployment>) -> Option<String> {
    if let Some(record) = record.filter(|one| one.rollout_state == RolloutState::Failed) {
        return Some(record.rollout_state_reason.clone());
    }
    service.events.iter().find_map(|event| match &event.event {
        Some(EventKind::DeploymentFailed { deployment, failure }) if *deployment == id => {
            Some(failure.to_string())
        }
        _ => None,
    })
}

fn log_tail(container: &Container) {
    let lines = &container.log_tail;
    if lines.is_empty() {
        return;
    }
    output::note(&sentence::last_log_lines(&container.name));
    for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
        output::note(&format!("  {line}"));
    }
}
