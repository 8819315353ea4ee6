//! Every sentence that the commands say. Nothing decides on one: with the feature `reworded` all of them come out as other
//! words, and the commands and their tests go on as before.

use std::path::Path;

use api::client::CallError;
use api::{
    Deployment, Disk, ImageVerification, InferredValue, LeftOutField, RegistryDisk, Router,
    Service, ServiceEvent, ServiceProblem, Task,
};
use model::sentence::say;
use model::{
    ContainerName, DeploymentCause, DeploymentId, IdPrefix, InstanceId, RolloutState, ServiceName,
    TaskId, Timestamp,
};

use crate::connection::{Connection, TokenOrigin};
use crate::text::{count, size, time, word};

/// Ends every sentence here.
macro_rules! sentence {
    ($($text:tt)*) => { say(format!($($text)*)) };
}

/// Why the API gave no answer.
pub(crate) fn call(error: &CallError) -> String {
    match error {
        CallError::Unreachable { base, cause } => sentence!(
            "Berth does not answer at {base}: {cause}. Is it running? Start it with `berth up`, or say where it is with \
             BERTH_URL and BERTH_TOKEN"
        ),
        CallError::Refused(refused) => refused.detail.clone(),
        CallError::OtherRevision { base, cause } => sentence!(
            "what answers at {base} is another version of Berth than this command, or not its admin API. Use the `berth` \
             that the server was started with, or end the server and start it again with this one: `berth up`. In detail: \
             {cause}"
        ),
        CallError::Unreadable { base, cause } => {
            sentence!("the answer of {base} is not what this version of berth understands: {cause}")
        }
        CallError::Address { base, cause } => {
            sentence!(
                "`{base}` is not the address of an admin API, as `http://127.0.0.1:7070` is: {cause}"
            )
        }
    }
}

/// Why the API does not take the token, by where it came from.
pub(crate) fn unauthenticated(connection: &Connection) -> String {
    let url = &connection.url;
    match &connection.origin {
        TokenOrigin::Missing(file) => sentence!(
            "there is no token for {url}: `{}` does not exist. Say the directory of the server that runs there with \
             --data-dir, or a token with BERTH_TOKEN",
            file.display()
        ),
        TokenOrigin::File(file) => sentence!(
            "{url} does not take the token in `{}`: another installation answers there, or the token was revoked. Say \
             the directory of the server that runs there with --data-dir, or another token with BERTH_TOKEN",
            file.display()
        ),
        TokenOrigin::Said => sentence!(
            "{url} does not take the token that BERTH_TOKEN, a flag or the configuration says: it is mistyped, revoked or \
             over; the administrator's is in `admin.token` in the server's data directory"
        ),
    }
}

/// Somebody stops waiting.
pub(crate) fn rollout_goes_on(service: &ServiceName) -> String {
    sentence!(
        "nobody waits any more, but the deployment goes on: `berth service show {service}` says how it stands, `berth \
         service rollback {service}` goes back"
    )
}

/// A value that was not given, and where it came from.
pub(crate) fn inferred(value: &InferredValue) -> String {
    let InferredValue { name, value, origin } = value;
    format!("  {name:<16} {value}  ({})", sentence!("{origin}"))
}

pub(crate) fn no_traffic(service: &ServiceName) -> String {
    sentence!("service {service} takes no traffic: it maps no port")
}

pub(crate) fn no_variable(text: &str) -> String {
    sentence!("--env `{text}` is not NAME=VALUE")
}

pub(crate) fn removal_question(service: &ServiceName) -> String {
    sentence!("Remove service {service} and stop its tasks?")
}

pub(crate) fn removal_nobody_to_ask(service: &ServiceName) -> String {
    sentence!(
        "removing service {service} stops its tasks: say --yes, since there is no terminal to ask on"
    )
}

pub(crate) fn removal_begun(service: &ServiceName) -> String {
    sentence!("service {service} is being removed")
}

pub(crate) fn removal_under_way(service: &ServiceName) -> String {
    sentence!("{service}: its tasks are being stopped")
}

pub(crate) fn removal_late(service: &ServiceName, seconds: u64) -> String {
    sentence!(
        "service {service} is not gone after {seconds} s; it goes once its last container has: `berth task ls \
         --service {service} --stopped` shows which are left"
    )
}

pub(crate) fn removal_done(service: &ServiceName) -> String {
    sentence!("service {service} is removed")
}

pub(crate) fn removal_held(service: &ServiceName, router: &Router) -> String {
    let (name, id) = (&router.name, router.router_id);
    sentence!(
        "all tasks of service {service} have stopped, but router {name} is away and may still know them: service and \
         name are free when it is back, or after `berth router rm {id}`"
    )
}

pub(crate) fn rollout_silent() -> String {
    sentence!("the server does not answer; waiting for it to come back")
}

pub(crate) fn rollout_replaced(newer: DeploymentId, older: DeploymentId) -> String {
    sentence!("deployment {newer} took the place of {older}")
}

pub(crate) fn rollout_not_placed(service: &Service, failure: &str) -> String {
    let goes_on = match service.running_count {
        0 => String::new(),
        running => format!(", and {} run as before", count(running, "task")),
    };
    let advice = advice(service).map(|advice| format!(": {advice}")).unwrap_or_default();
    sentence!(
        "service {} cannot be placed: {failure}. It is placed by itself once that changes{goes_on}{advice}",
        service.service_name
    )
}

/// What to do where tasks of the service cannot be placed.
pub(crate) fn advice(service: &Service) -> Option<String> {
    service.placement_failure_cause.as_ref()?.advice(&service.service_name)
}

pub(crate) fn rollout_late(service: &ServiceName, seconds: u64, waiting: Option<&str>) -> String {
    let why = waiting.map(|reason| format!(" ({reason})")).unwrap_or_default();
    sentence!(
        "service {service} is not complete after {seconds} s{why}; it goes on by itself: `berth service show {service}`"
    )
}

/// How it stands now, in one line.
pub(crate) fn rollout_summary(service: &Service, waiting: Option<&str>) -> String {
    let primary = service.primary();
    let rolling = primary.filter(|one| one.rollout_state == RolloutState::InProgress);
    // Once it is complete, tasks that an older one has left count too.
    let (running, pending) = match rolling {
        Some(deployment) => (deployment.running_count, deployment.pending_count),
        None => (service.running_count, service.pending_count),
    };
    let mut text = format!(
        "{}: {running} of {} running, {pending} pending",
        service.service_name, service.desired_count
    );
    if let Some(primary) = primary {
        let state = word(&primary.rollout_state);
        text.push_str(&format!(
            " (revision {}, {}, {state})",
            primary.revision, primary.task_definition
        ));
        if primary.failed_tasks > 0 {
            text.push_str(&format!(", {} failed", primary.failed_tasks));
        }
    }
    if let Some(reason) = &service.placement_failure {
        text.push_str(&format!("; not placed: {reason}"));
    } else if let Some(reason) = waiting.filter(|_| rolling.is_some()) {
        text.push_str(&format!("; not healthy yet: {reason}"));
    }
    sentence!("{text}")
}

/// A deployment that is watched.
pub(crate) fn baking(state: &str, until: Timestamp) -> String {
    sentence!("{state}, watched until {}", time(until))
}

/// What stands behind the outcome of a revision that requests lead to.
pub(crate) const fn in_force() -> &'static str {
    ", in force"
}

/// What is wrong with a service, and what to do.
pub(crate) fn service_problem(service: &ServiceName, problem: &ServiceProblem) -> String {
    sentence!("service {service}: {}", self::problem(problem))
}

/// The same without its name.
pub(crate) fn problem(problem: &ServiceProblem) -> String {
    match problem {
        ServiceProblem::NotPlaced { reason, advice } => {
            let advice = advice.as_ref().map(|advice| format!(": {advice}")).unwrap_or_default();
            sentence!("not placed: {reason}{advice}")
        }
        ServiceProblem::Unhealthy { tasks, check } => {
            sentence!("unhealthy: {} failing health checks: {check}", count(*tasks, "task"))
        }
        ServiceProblem::CrashLoop { exits, reason, last_at } => {
            let at = last_at.map(|at| format!(" at {}", time(at))).unwrap_or_default();
            let last = reason.as_ref().map(|reason| format!(", the last one{at}: {reason}"));
            sentence!(
                "crash loop: {exits} tasks were healthy and ended by themselves{}; they are started again ever more slowly",
                last.unwrap_or_default()
            )
        }
        ServiceProblem::DeploymentFailed { deployment, cause, reason, rolled_back } => {
            let what = match cause {
                DeploymentCause::Pushed => "the last push failed",
                DeploymentCause::Requested
                | DeploymentCause::Failure { .. }
                | DeploymentCause::Rollback { .. } => "the last deployment failed",
            };
            let back = if *rolled_back { "; what ran before answers" } else { "" };
            sentence!("{what}{back} ({deployment}): {reason}")
        }
    }
}

/// A host that is about to be full.
pub(crate) fn disk_nearly_full(instance: &str, disk: &Disk) -> String {
    sentence!(
        "instance {instance}: its disk is nearly full, {} of {} are free: remove what nobody needs there, as `docker \
         system df` shows",
        size(disk.free_mib << 20),
        size(disk.total_mib << 20)
    )
}

/// How far a verification of all images is.
pub(crate) fn verifying(now: &ImageVerification) -> String {
    sentence!(
        "verifying images: {} of {}, {}",
        now.checked_count,
        count(now.blobs_count, "blob"),
        size(now.checked_bytes)
    )
}

/// What a verification has found.
pub(crate) fn verified(last: &ImageVerification) -> String {
    let read = format!("{}, {}", count(last.checked_count, "blob"), size(last.checked_bytes));
    if last.ended_at.is_none() {
        return sentence!("verifying images; `berth image verify` shows how far that is");
    }
    match last.damaged_count {
        0 => sentence!("{read}: all are as they were pushed"),
        damaged => sentence!(
            "{read}: {damaged} damaged or gone. They are not served; push these images again to heal them"
        ),
    }
}

/// A registry that takes no pushes.
pub(crate) fn registry_disk_low(disk: &RegistryDisk) -> String {
    sentence!(
        "the registry takes no pushes: {} of {} are free on its disk, and pushes leave {} free (`registry.low_water`). \
         Make room; what runs and pulls goes on",
        size(disk.free_mib << 20),
        size(disk.total_mib << 20),
        size(disk.low_water_mib << 20)
    )
}

/// A host that is not there.
pub(crate) fn instance_away(instance: &str) -> String {
    sentence!("instance {instance} is not connected: start its agent with `berth up` on that host")
}

/// A host that `berth down` has stopped.
pub(crate) fn instance_suspended(instance: &str) -> String {
    sentence!("instance {instance} is suspended by `berth down`: `berth up` there ends that")
}

pub(crate) fn not_ready() -> String {
    sentence!("the server is not ready yet: it waits for its registry, router or local instance")
}

pub(crate) fn no_instance() -> String {
    sentence!("no instance has joined: nothing can run; `berth up` starts one here")
}

pub(crate) fn no_problems() -> String {
    sentence!("no problems")
}

/// What comes after a deployment that answers.
pub(crate) fn rollout_bakes(deployment: &Deployment, until: Timestamp) -> String {
    let (revision, until) = (deployment.revision, time(until));
    sentence!(
        "revision {revision} answers; it is watched until {until}, then it is COMPLETED and where roll-backs go"
    )
}

pub(crate) fn task_stopped(task: &Task) -> String {
    let reason = task.stopped_reason.as_deref().unwrap_or("-");
    sentence!("task {} stopped: {reason}", task.task_id)
}

/// What became of it: `why` it failed where that is known, and whether it was rolled back.
pub(crate) fn rollout_failed(
    service: &Service,
    deployment: DeploymentId,
    why: Option<&str>,
    advice: &str,
) -> String {
    let name = &service.service_name;
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let back = service.primary().filter(|one| one.rollback_of == Some(deployment));
    let after = match back {
        Some(back) => format!(
            "rolled back to revision {} ({}), which answers as before with its own hosts and health check",
            back.revision, back.task_definition
        ),
        None => "there was nothing to roll back to".to_owned(),
    };
    sentence!(
        "deployment {deployment} of service {name} failed{why}; {after}.{advice} See `berth service events {name}`, \
         push a mended image, or deploy again"
    )
}

/// What to look at where an application runs but does not answer as it should.
pub(crate) fn health_advice(service: &Service) -> String {
    let ports = service.load_balancers.iter().map(|one| one.container_port.to_string());
    let ports: Vec<String> = ports.collect();
    format!(
        " Does the application listen on port {} of all addresses (0.0.0.0), and is its health there? `--port`, \
         `--health-path` and `--health-tcp` say it otherwise.",
        ports.join(" and ")
    )
}

pub(crate) fn last_log_lines(container: &ContainerName) -> String {
    sentence!("last log lines of container {container}:")
}

pub(crate) fn whole_log(task: TaskId) -> String {
    sentence!("all of it: `berth task logs {task}`")
}

pub(crate) fn nothing_to_change(service: &ServiceName) -> String {
    sentence!(
        "what of service {service} should change? `berth service update --help` shows what can"
    )
}

pub(crate) fn counts(service: &Service) -> String {
    let Service { running_count, desired_count, pending_count, .. } = service;
    sentence!("{running_count} of {desired_count} running, {pending_count} pending")
}

pub(crate) fn rolled_back(deployment: DeploymentId) -> String {
    sentence!("deployment {deployment} failed; the events say why")
}

pub(crate) fn follows_no_tags() -> String {
    sentence!("do not roll out (follow-tags is off)")
}

pub(crate) fn no_services() -> String {
    sentence!("no services; `berth deploy NAME` makes one of the image NAME that was pushed")
}

pub(crate) fn not_healthy(task: TaskId, reason: &str) -> String {
    sentence!("task {task} is not healthy: {reason}")
}

pub(crate) fn which_container(names: &str) -> String {
    sentence!("which container gets the command? Say --container: {names}")
}

pub(crate) fn log_cut_off(error: &CallError) -> String {
    sentence!("the log was cut off: {error}")
}

pub(crate) fn left_out(field: &LeftOutField) -> String {
    sentence!("left out: {field}")
}

pub(crate) fn needed_to_start(fields: &[&LeftOutField]) -> String {
    let fields: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
    sentence!(
        "it may not start as it should without {}: see to that before it is deployed",
        fields.join(", ")
    )
}

pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> String {
    sentence!("`{}` cannot be read: {error}", file.display())
}

pub(crate) fn not_utf8(file: &Path) -> String {
    sentence!("`{}` is not UTF-8: save it as UTF-8 and try again", file.display())
}

pub(crate) fn no_json(file: &Path, error: &serde_json::Error) -> String {
    sentence!("`{}` is not JSON: {error}", file.display())
}

pub(crate) fn link_is_local() -> String {
    sentence!(
        "the link listens on this host only; for others, start the server with BERTH_LINK_LISTEN=0.0.0.0:7071"
    )
}

pub(crate) fn instance_removed(instance: &str) -> String {
    sentence!("instance {instance} is removed")
}

pub(crate) fn left_on_host(instance: InstanceId) -> String {
    sentence!(
        "what still runs on its host is left to you: `docker rm -f $(docker ps -aq --filter \
         label=berth.instance={instance})` there removes it"
    )
}

pub(crate) fn router_removed(router: &IdPrefix) -> String {
    sentence!("router {router} is removed")
}

pub(crate) fn token_revoked(token: &IdPrefix) -> String {
    sentence!("token {token} is revoked")
}

pub(crate) fn rule_removed(rule: &IdPrefix) -> String {
    sentence!("rule {rule} is removed")
}

pub(crate) fn router_lost(router: &Router) -> String {
    let (name, id) = (&router.name, router.router_id);
    sentence!(
        "router {name} is lost: what it may still send requests to is kept from others; `berth router rm {id}` gives it \
         up"
    )
}

pub(crate) fn readiness(version: &str, ready: bool) -> String {
    let ready = if ready { "ready" } else { "not ready" };
    sentence!("Berth {version} is {ready}")
}

pub(crate) fn none(kind: &str) -> String {
    sentence!("no {kind}")
}

/// What happened to a service, without its name: where it stands is above the event. An older version wrote down only the
/// words, with the name in front as ECS has it.
pub(crate) fn event(service: &ServiceName, event: &ServiceEvent) -> String {
    if let Some(kind) = &event.event {
        return kind.to_string();
    }
    let front = format!("(service {service}) ");
    event.message.strip_prefix(&front).unwrap_or(&event.message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_an_older_version_is_shown_without_the_name_too() {
        let service: ServiceName = "web".parse().unwrap();
        let shown = |message: &str| {
            let json =
                format!(r#"{{"createdAt": "2026-01-01T00:00:00.000Z", "message": "{message}"}}"#);
            event(&service, &serde_json::from_str(&json).unwrap())
        };
        assert_eq!(shown("(service web) was removed"), "was removed");
        assert_eq!(shown("(service webshop) was removed"), "(service webshop) was removed");
    }
}
