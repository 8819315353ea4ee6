//! Waits until a deployment ends, shows each task on the way, and says why it failed.

use std::time::Duration;

use serde_json::Value;

use super::client::{CallError, Client};
use super::exit::Exit;
use super::output::{self, Progress};
use super::text::{count, escape, field, items, query};
use super::{Failure, Outcome};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// How long "no instance fits" may last before it is an answer.
const UNPLACED: Duration = Duration::from_secs(5);
/// How long a server may be away, as while it is restarted.
const SILENT: Duration = Duration::from_secs(30);
/// Looks between two questions why tasks are not healthy yet.
const LOOKS: u32 = 10;
/// How the reason of a task begins that was stopped for not becoming healthy.
const UNHEALTHY: &str = "failed its health checks";
/// Log lines shown of a task that failed.
const LOG_LINES: usize = 20;

/// Waits until the deployment `wanted` is complete, or says why it is not: it failed, or takes longer than `timeout`. A
/// newer one that takes its place is waited for instead.
pub(crate) async fn rollout(
    client: &Client,
    service: &str,
    cluster: &str,
    wanted: &str,
    timeout: Duration,
) -> Outcome {
    let path = service_path(service, cluster);
    let mut progress = Progress::start();
    let mut waited = Duration::ZERO;
    let mut unplaced = Duration::ZERO;
    let mut silent = Duration::ZERO;
    let mut wanted = wanted.to_owned();
    let mut tasks = Tasks::default();
    // Its record goes with its last task: what it said last is kept here.
    let mut record = Value::Null;
    loop {
        let service: Value = match client.get(&path).await {
            Err(error @ CallError::Unreachable { .. }) if silent >= SILENT => {
                return Err(error.into());
            }
            Err(CallError::Unreachable { .. }) => {
                progress.say("the server does not answer; waiting for it to come back");
                tokio::time::sleep(PERIOD).await;
                silent += PERIOD;
                continue;
            }
            answer => answer?,
        };
        silent = Duration::ZERO;
        let mut all = items(&service["deployments"]).iter();
        if let Some(known) = all.find(|one| one["id"] == *wanted) {
            record = known.clone();
        }
        let stage = stage(&service, &wanted);
        if stage == Stage::Rolling
            && let Err(failure) = tasks.look(client, &service, &progress).await
            && failure.exit() != Exit::Unreachable
        {
            return Err(failure);
        }
        progress.say(&summary(&service, tasks.waiting.as_deref()));
        match stage {
            Stage::Done => return Ok(Exit::Success),
            Stage::Failed => {
                drop(progress);
                return failed(client, &service, &wanted, &record).await;
            }
            Stage::Replaced(newer) => {
                progress.keep(&format!("deployment {newer} took the place of {wanted}"));
                wanted = newer;
            }
            Stage::Rolling => {}
        }
        let is_unplaced = service["placementFailure"].is_string();
        unplaced = if is_unplaced { unplaced + PERIOD } else { Duration::ZERO };
        if unplaced >= UNPLACED {
            drop(progress);
            return Err(not_placed(&service));
        }
        if waited >= timeout {
            drop(progress);
            return Err(timed_out(&service, timeout, tasks.waiting.as_deref()));
        }
        tokio::time::sleep(PERIOD).await;
        waited += PERIOD;
    }
}

/// What becomes of the tasks of a deployment while it rolls.
#[derive(Debug, Default)]
struct Tasks {
    looks: u32,
    failed: u64,
    /// Why the running ones do not count yet.
    waiting: Option<String>,
}

impl Tasks {
    /// Says of each task that failed why it did, and finds out why others are not healthy yet.
    async fn look(
        &mut self,
        client: &Client,
        service: &Value,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let primary = primary(service);
        let failed = primary["failedTasks"].as_u64().unwrap_or_default();
        if failed > self.failed {
            let stopped = tasks_of(client, service, true).await?;
            let blamed = items(&stopped).iter().filter(|task| is_blamed(task, &primary["id"]));
            let news = usize::try_from(failed - self.failed).unwrap_or_default();
            for task in blamed.take(news) {
                progress.keep(&stop_of(task));
            }
            (self.failed, self.looks, self.waiting) = (failed, 0, None);
        }
        let all_run = primary["rolloutState"] == "IN_PROGRESS"
            && primary["pendingCount"] == 0
            && primary["runningCount"] != 0;
        if !all_run {
            (self.waiting, self.looks) = (None, 0);
        } else if self.looks.is_multiple_of(LOOKS) {
            let running = tasks_of(client, service, false).await?;
            let of_it = items(&running).iter().filter(|task| task["deploymentId"] == primary["id"]);
            let mut of_it = of_it;
            let reason = of_it.find_map(|task| task["healthReason"].as_str());
            self.waiting = reason.map(ToOwned::to_owned);
            self.looks = 1;
        } else {
            self.looks += 1;
        }
        Ok(())
    }
}

/// The service's tasks that run, or those that have stopped.
async fn tasks_of(client: &Client, service: &Value, stopped: bool) -> Result<Value, Failure> {
    let query = query(&[
        ("serviceName", Some(field(service, "serviceName"))),
        ("cluster", Some(field(service, "clusterName"))),
        ("desiredStatus", stopped.then(|| "STOPPED".to_owned())),
    ]);
    let mut answer: Value = client.get(&format!("/api/v1/tasks{query}")).await?;
    Ok(answer["items"].take())
}

/// Whether a task stopped by a fault of its own deployment, and not only because others failed.
fn is_blamed(task: &Value, deployment: &Value) -> bool {
    let reason = task["stoppedReason"].as_str().unwrap_or_default();
    let by_itself = task["stopCode"] != "ServiceSchedulerInitiated";
    task["deploymentId"] == *deployment && (by_itself || reason.starts_with(UNHEALTHY))
}

fn stop_of(task: &Value) -> String {
    format!("task {} stopped: {}", field(task, "taskId"), field(task, "stoppedReason"))
}

/// Where a deployment that somebody waits for is.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// On its way, or on its way back.
    Rolling,
    /// Complete, and as many tasks run as should.
    Done,
    /// It failed; where there was something to go back to, that is complete.
    Failed,
    /// Another one counts now that does not go back from it.
    Replaced(String),
}

fn stage(service: &Value, wanted: &str) -> Stage {
    let primary = primary(service);
    let state = primary["rolloutState"].as_str();
    let is_back = primary["rollbackOf"] == *wanted && primary["id"] != *wanted;
    match state {
        Some("COMPLETED") if is_back => Stage::Failed,
        _ if is_back => Stage::Rolling,
        Some(_) if primary["id"] != *wanted => Stage::Replaced(field(primary, "id")),
        Some("COMPLETED") if service["runningCount"] == service["desiredCount"] => Stage::Done,
        // Going back begins in the same batch, so nothing comes any more.
        Some("FAILED") => Stage::Failed,
        _ => Stage::Rolling,
    }
}

fn not_placed(service: &Value) -> Failure {
    let name = field(service, "serviceName");
    let reason = field(service, "placementFailure");
    let goes_on = match service["runningCount"].as_u64() {
        Some(running) if running > 0 => format!(", and {} run as before", count(running, "task")),
        _ => String::new(),
    };
    Failure::new(
        Exit::Failure,
        format!(
            "service {name} cannot be placed: {reason}. It is placed by itself once there is room{goes_on}: stop something, \
             ask for less with --cpu and --memory, or add a host with `berth instance join-token`"
        ),
    )
}

fn timed_out(service: &Value, timeout: Duration, waiting: Option<&str>) -> Failure {
    let name = field(service, "serviceName");
    let seconds = timeout.as_secs();
    let why = waiting.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let message = format!(
        "service {name} is not complete after {seconds} s{why}; it goes on by itself: `berth service show {name}`"
    );
    Failure::new(Exit::Timeout, message)
}

/// The path of a service in the API.
pub(crate) fn service_path(service: &str, cluster: &str) -> String {
    let query = query(&[("cluster", Some(cluster.to_owned()))]);
    format!("/api/v1/services/{}{query}", escape(service))
}

/// The deployment that counts.
pub(crate) fn primary(service: &Value) -> &Value {
    let mut deployments = items(&service["deployments"]).iter();
    deployments.find(|one| one["status"] == "PRIMARY").unwrap_or(&Value::Null)
}

fn summary(service: &Value, waiting: Option<&str>) -> String {
    let primary = primary(service);
    let rolling = primary["rolloutState"] == "IN_PROGRESS";
    // Once it is complete, tasks that an older one has left count too.
    let counted = if rolling { primary } else { service };
    let mut text = format!(
        "{}: {} of {} running, {} pending ({}, {})",
        field(service, "serviceName"),
        field(counted, "runningCount"),
        field(service, "desiredCount"),
        field(counted, "pendingCount"),
        field(primary, "taskDefinition"),
        field(primary, "rolloutState"),
    );
    if primary["failedTasks"].as_u64().is_some_and(|failed| failed > 0) {
        text.push_str(&format!(", {} failed", field(primary, "failedTasks")));
    }
    if let Some(reason) = service["placementFailure"].as_str() {
        text.push_str(&format!("; not placed: {reason}"));
    } else if let Some(reason) = waiting {
        text.push_str(&format!("; not healthy yet: {reason}"));
    }
    text
}

/// Says what went wrong: the deployment's reason, the last log lines of the last task of it that stopped, and what to do.
async fn failed(client: &Client, service: &Value, id: &str, record: &Value) -> Outcome {
    let name = field(service, "serviceName");
    let stopped = tasks_of(client, service, true).await?;
    let tasks = items(&stopped).iter();
    // The newest may have been stopped only because the others failed.
    let blamed = tasks.clone().find(|task| is_blamed(task, &id.into()));
    let task = blamed.or_else(|| tasks.clone().find(|task| task["deploymentId"] == *id));
    let mut advice = String::new();
    if let Some(task) = task {
        output::note(&stop_of(task));
        for container in items(&task["containers"]) {
            log_tail(container);
        }
        if field(task, "stoppedReason").starts_with(UNHEALTHY) {
            advice = health_advice(service);
        }
    }
    let after = if primary(service)["rollbackOf"] == *id {
        let to = field(primary(service), "taskDefinition");
        format!("rolled back to {to}, which answers as before")
    } else {
        "there was nothing to roll back to".to_owned()
    };
    let message = format!(
        "deployment {id} of service {name} failed{}; {after}.{advice} See `berth service events {name}`, push a mended image, \
         or deploy again",
        reason(service, id, record)
    );
    Err(Failure::new(Exit::DeploymentFailed, message))
}

/// What to look at where an application runs but does not answer as it should.
fn health_advice(service: &Value) -> String {
    let ports = items(&service["loadBalancers"]).iter();
    let ports: Vec<String> = ports.map(|one| field(one, "containerPort")).collect();
    format!(
        " Does the application listen on port {} of all addresses (0.0.0.0), and is its health there? `--port`, \
         `--health-path` and `--health-tcp` say it otherwise.",
        ports.join(" and ")
    )
}

/// Why it failed, as its record says; where that is gone already, as the service's events say.
fn reason(service: &Value, id: &str, record: &Value) -> String {
    if record["rolloutState"] == "FAILED" {
        return format!(": {}", field(record, "rolloutStateReason"));
    }
    let said = format!("deployment {id} failed: ");
    let mut messages =
        items(&service["events"]).iter().filter_map(|event| event["message"].as_str());
    let found = messages.find_map(|message| message.split_once(&said));
    found.map_or_else(String::new, |(_, reason)| format!(": {reason}"))
}

fn log_tail(container: &Value) {
    let lines = items(&container["logTail"]);
    if lines.is_empty() {
        return;
    }
    let name = field(container, "name");
    output::note(&format!("last log lines of container {name}:"));
    for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
        output::note(&format!("  {}", line.as_str().unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(primary: &Value, running: u32, expected: &Stage) {
        let mut primary = primary.clone();
        primary["status"] = json!("PRIMARY");
        let service = json!({"deployments": [primary], "runningCount": running, "desiredCount": 2});
        assert_eq!(stage(&service, "new"), *expected);
    }

    #[test]
    fn a_deployment_is_done_when_it_is_complete_and_all_its_tasks_run() {
        check(&json!({"id": "new", "rolloutState": "IN_PROGRESS"}), 2, &Stage::Rolling);
        check(&json!({"id": "new", "rolloutState": "COMPLETED"}), 1, &Stage::Rolling);
        check(&json!({"id": "new", "rolloutState": "COMPLETED"}), 2, &Stage::Done);
    }

    #[test]
    fn a_deployment_that_was_rolled_back_has_failed_once_the_old_one_is_back() {
        let back = |state: &str| json!({"id": "back", "rollbackOf": "new", "rolloutState": state});
        check(&back("IN_PROGRESS"), 2, &Stage::Rolling);
        check(&back("COMPLETED"), 2, &Stage::Failed);
        check(&json!({"id": "new", "rolloutState": "FAILED"}), 0, &Stage::Failed);
    }

    #[test]
    fn a_rollback_that_was_asked_for_is_no_failure() {
        let back = json!({"id": "new", "rollbackOf": "bad", "rolloutState": "COMPLETED"});
        check(&back, 2, &Stage::Done);
    }

    #[test]
    fn a_newer_deployment_is_waited_for_instead() {
        let newer = json!({"id": "newer", "rolloutState": "IN_PROGRESS"});
        check(&newer, 2, &Stage::Replaced("newer".to_owned()));
    }
}
