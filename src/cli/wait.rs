//! Waits until a deployment ends, shows each task on the way, and says why it failed.

use std::time::Duration;

use serde_json::Value;

use super::client::{CallError, Client};
use super::exit::Exit;
use super::output::{self, Progress};
use super::text::{escape, field, items, query};
use super::{Failure, Outcome};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// How long "no instance fits" may last before it is an answer.
const UNPLACED: Duration = Duration::from_secs(5);
/// How long a server may be away, as while it is restarted.
const SILENT: Duration = Duration::from_secs(30);
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
    let mut progress = Progress::new();
    let mut waited = Duration::ZERO;
    let mut unplaced = Duration::ZERO;
    let mut silent = Duration::ZERO;
    let mut wanted = wanted.to_owned();
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
        progress.say(&summary(&service));
        match stage(&service, &wanted) {
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
            return Err(timed_out(&service, timeout));
        }
        tokio::time::sleep(PERIOD).await;
        waited += PERIOD;
    }
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
    Failure::new(
        Exit::Failure,
        format!(
            "service {name} cannot be placed: {reason}. It is placed by itself once there is room: stop something, ask for \
             less with --cpu and --memory, or add a host with `berth instance join-token`"
        ),
    )
}

fn timed_out(service: &Value, timeout: Duration) -> Failure {
    let name = field(service, "serviceName");
    let seconds = timeout.as_secs();
    let message = format!(
        "service {name} is not complete after {seconds} s; it goes on by itself: `berth service show {name}`"
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

fn summary(service: &Value) -> String {
    let primary = primary(service);
    let mut text = format!(
        "{}: {} of {} running, {} pending ({}, {})",
        field(service, "serviceName"),
        field(primary, "runningCount"),
        field(service, "desiredCount"),
        field(primary, "pendingCount"),
        field(primary, "taskDefinition"),
        field(primary, "rolloutState"),
    );
    if primary["failedTasks"].as_u64().is_some_and(|failed| failed > 0) {
        text.push_str(&format!(", {} failed", field(primary, "failedTasks")));
    }
    if let Some(reason) = service["placementFailure"].as_str() {
        text.push_str(&format!("; waiting: {reason}"));
    }
    text
}

/// Says what went wrong: the deployment's reason, the last task of it that stopped, and its last log lines.
async fn failed(client: &Client, service: &Value, id: &str, record: &Value) -> Outcome {
    let name = field(service, "serviceName");
    let query = query(&[
        ("serviceName", Some(name.clone())),
        ("cluster", Some(field(service, "clusterName"))),
        ("desiredStatus", Some("STOPPED".to_owned())),
    ]);
    let stopped: Value = client.get(&format!("/api/v1/tasks{query}")).await?;
    let of_it = |task: &&Value| task["deploymentId"] == *id;
    // The newest may have been stopped only because the others failed.
    let blamed = |task: &&Value| {
        let reason = task["stoppedReason"].as_str().unwrap_or_default();
        let by_itself = task["stopCode"] != "ServiceSchedulerInitiated";
        of_it(task) && (by_itself || reason.starts_with("failed its health checks"))
    };
    let tasks = items(&stopped["tasks"]).iter();
    if let Some(task) = tasks.clone().find(blamed).or_else(|| tasks.clone().find(of_it)) {
        output::note(&format!(
            "task {} stopped: {}",
            field(task, "taskId"),
            field(task, "stoppedReason")
        ));
        for container in items(&task["containers"]) {
            log_tail(container);
        }
    }
    let after = if primary(service)["rollbackOf"] == *id {
        let to = field(primary(service), "taskDefinition");
        format!("rolled back to {to}, which answers as before")
    } else {
        "there was nothing to roll back to".to_owned()
    };
    let message = format!(
        "deployment {id} of service {name} failed{}; {after}. See `berth service events {name}`, push a mended image, or \
         deploy again",
        reason(service, id, record)
    );
    Err(Failure::new(Exit::DeploymentFailed, message))
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
