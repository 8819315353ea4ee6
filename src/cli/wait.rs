//! Waits until a deployment ends, shows each task on the way, and says why it failed.

use std::time::Duration;

use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Progress};
use super::text::{field, items, query};
use super::{Failure, Outcome};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// How long "no instance fits" may last before it is an answer.
const UNPLACED: Duration = Duration::from_secs(5);
/// Log lines shown of a task that failed.
const LOG_LINES: usize = 20;

/// Waits until the service runs what it should: its deployment completed, or failed, or takes longer than `timeout`.
pub(crate) async fn rollout(
    client: &Client,
    service: &str,
    cluster: &str,
    timeout: Duration,
) -> Outcome {
    let path = service_path(service, cluster);
    let mut progress = Progress::new();
    let mut waited = Duration::ZERO;
    let mut unplaced = Duration::ZERO;
    let mut first_failed: Option<Value> = None;
    loop {
        let service: Value = client.get(&path).await?;
        let primary = primary(&service);
        progress.say(&summary(&service, primary));
        match primary["rolloutState"].as_str() {
            Some("COMPLETED") if primary["rollbackOf"].is_string() => {
                drop(progress);
                return failed(client, &service, first_failed.as_ref()).await;
            }
            Some("COMPLETED") if service["runningCount"] == service["desiredCount"] => {
                return Ok(Exit::Success);
            }
            Some("FAILED") if primary["rollbackOf"].is_null() && !rolls_back(&service) => {
                drop(progress);
                return failed(client, &service, Some(primary)).await;
            }
            Some("FAILED") => first_failed = Some(primary.clone()),
            _ => {}
        }
        unplaced = if service["placementFailure"].is_string() { unplaced + PERIOD } else { Duration::ZERO };
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

fn rolls_back(service: &Value) -> bool {
    let breaker = &service["deploymentConfiguration"]["deploymentCircuitBreaker"];
    breaker["rollback"] == true && service["lastCompletedDeployment"].is_object()
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
    format!("/api/v1/services/{service}{}", query(&[("cluster", Some(cluster.to_owned()))]))
}

/// The deployment that counts.
pub(crate) fn primary(service: &Value) -> &Value {
    let mut deployments = items(&service["deployments"]).iter();
    deployments.find(|one| one["status"] == "PRIMARY").unwrap_or(&Value::Null)
}

fn summary(service: &Value, primary: &Value) -> String {
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

/// Says what went wrong: the deployment's reason, the last task that stopped and its last log lines.
async fn failed(client: &Client, service: &Value, failed: Option<&Value>) -> Outcome {
    let name = field(service, "serviceName");
    let rolled_back = primary(service)["rollbackOf"].is_string();
    let failed_id = match failed {
        Some(deployment) => field(deployment, "id"),
        None => field(primary(service), "rollbackOf"),
    };
    let query = query(&[
        ("serviceName", Some(name.clone())),
        ("cluster", Some(field(service, "clusterName"))),
        ("desiredStatus", Some("STOPPED".to_owned())),
    ]);
    let stopped: Value = client.get(&format!("/api/v1/tasks{query}")).await?;
    let task = items(&stopped["tasks"]).iter().find(|task| task["deploymentId"] == *failed_id);
    if let Some(task) = task {
        output::note(&format!("task {} stopped: {}", field(task, "taskId"), field(task, "stoppedReason")));
        for container in items(&task["containers"]) {
            log_tail(container);
        }
    }
    let reason = failed.map_or_else(String::new, |failed| {
        format!(": {}", field(failed, "rolloutStateReason"))
    });
    let after = if rolled_back {
        let to = field(primary(service), "taskDefinition");
        format!("rolled back to {to}, which answers as before")
    } else {
        "there was nothing to roll back to".to_owned()
    };
    let message = format!(
        "deployment {failed_id} of service {name} failed{reason}; {after}. See `berth service events {name}`, push a mended \
         image, or deploy again"
    );
    Err(Failure::new(Exit::DeploymentFailed, message))
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
