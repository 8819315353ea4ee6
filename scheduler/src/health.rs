//! A task is healthy when it runs and every router that can tell says so; what is not known fails nothing.
//!
//! A task that was healthy before counts as healthy until a router says otherwise: routers come and go, and a new one
//! knows nothing at first. A task that never was waits for a report of every connected router.

use std::time::Duration;

use model::observed::{RouterSeen, TargetHealth};
use model::task::Run;
use model::{Service, TargetGroupId, Task, TaskId, TaskPhase, Timestamp};

use crate::inputs::Inputs;
use crate::sentence;

/// How a task of a service does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TaskHealth {
    /// Serves.
    Healthy,
    /// Was healthy, and fails its checks now: which one and how, for people.
    Unhealthy(String),
    /// Was never healthy, and its time is over: which check fails and how, for people.
    Failing(String),
    /// On its way.
    Starting,
    /// Runs, but no router is connected that could tell.
    Unknown,
}

/// How a task does, and when it may do otherwise although nothing is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assessed {
    pub(crate) health: TaskHealth,
    pub(crate) changes_at: Option<Timestamp>,
}

impl From<TaskHealth> for Assessed {
    fn from(health: TaskHealth) -> Self {
        Self { health, changes_at: None }
    }
}

/// What the connected routers say of one target.
enum Verdict {
    Healthy,
    Initial(Option<String>),
    Unhealthy(String),
    /// A connected router has not got it yet.
    Missing,
    /// No router is connected.
    Nobody,
}

/// How a task does that should run. `is_available`: whether its instance is there and does what it is told.
pub(crate) fn assess(
    inputs: Inputs<'_>,
    service: &Service,
    task: &Task,
    is_available: bool,
) -> Assessed {
    let TaskPhase::Running { run, .. } = task.phase() else { return TaskHealth::Starting.into() };
    let is_proven = run.healthy_at.is_some();
    if service.load_balancers.is_empty() {
        let steady_at = run.started_at.plus(inputs.settings.steady_after);
        return if is_proven {
            TaskHealth::Healthy.into()
        } else {
            until(inputs, steady_at, TaskHealth::Healthy)
        };
    }
    match verdict(inputs, service, task.id) {
        Verdict::Healthy => TaskHealth::Healthy.into(),
        Verdict::Initial(None) | Verdict::Missing | Verdict::Nobody if is_proven => {
            TaskHealth::Healthy.into()
        }
        Verdict::Initial(Some(reason)) | Verdict::Unhealthy(reason) if is_proven => {
            until(inputs, run.started_at.plus(grace(service)), TaskHealth::Unhealthy(reason))
        }
        Verdict::Missing => TaskHealth::Starting.into(),
        Verdict::Nobody => TaskHealth::Unknown.into(),
        Verdict::Initial(_) | Verdict::Unhealthy(_) if !is_available => TaskHealth::Starting.into(),
        Verdict::Initial(reason) => unproven(inputs, service, run, reason),
        Verdict::Unhealthy(reason) => unproven(inputs, service, run, Some(reason)),
    }
}

/// On its way until then.
fn until(inputs: Inputs<'_>, at: Timestamp, then: TaskHealth) -> Assessed {
    if inputs.now >= at {
        then.into()
    } else {
        Assessed { health: TaskHealth::Starting, changes_at: Some(at) }
    }
}

fn grace(service: &Service) -> Duration {
    Duration::from_secs(u64::from(service.health_check_grace_period_seconds))
}

/// Gives a task that was never healthy its time. Without a failed check to name, it gets that time twice: a router that
/// came back may have only just begun to check. An instance that is away has its own rules.
fn unproven(inputs: Inputs<'_>, service: &Service, run: Run, reason: Option<String>) -> Assessed {
    let checks = groups(service)
        .filter_map(|id| inputs.state.target_group(id))
        .map(|group| {
            let check = &group.health_check;
            let rounds = u64::from(check.interval_seconds) * u64::from(check.unhealthy_threshold);
            Duration::from_secs(rounds + u64::from(check.timeout_seconds))
        })
        .max()
        .unwrap_or_default();
    let allowed = grace(service) + checks + inputs.settings.start_allowance;
    let allowed = if reason.is_some() { allowed } else { allowed * 2 };
    let from = run.started_at.max(inputs.observed.since);
    let reason = reason.unwrap_or_else(sentence::no_check_passed);
    until(inputs, from.plus(allowed), TaskHealth::Failing(reason))
}

fn groups(service: &Service) -> impl Iterator<Item = TargetGroupId> {
    service.load_balancers.iter().map(|balancer| balancer.target_group)
}

/// The worst that a connected router says of any target of the task.
fn verdict(inputs: Inputs<'_>, service: &Service, task: TaskId) -> Verdict {
    let routers: Vec<_> = connected(inputs).collect();
    if routers.is_empty() {
        return Verdict::Nobody;
    }
    let mut worst = Verdict::Healthy;
    let mut is_reported = false;
    for group in groups(service) {
        for router in &routers {
            let Some(seen) = router.targets.get(&(group, task)) else {
                if router.applied.is_some() {
                    worst = worse(worst, Verdict::Missing);
                }
                continue;
            };
            is_reported = true;
            let reason = seen.reason.clone();
            worst = match seen.health {
                TargetHealth::Healthy => worst,
                TargetHealth::Initial => worse(worst, Verdict::Initial(reason)),
                TargetHealth::Unhealthy => {
                    let reason = reason.unwrap_or_else(sentence::found_unhealthy);
                    worse(worst, Verdict::Unhealthy(reason))
                }
            };
        }
    }
    // Routers that have just connected have not reported anything yet.
    if is_reported { worst } else { worse(worst, Verdict::Missing) }
}

fn worse(one: Verdict, other: Verdict) -> Verdict {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Healthy => 0,
        Verdict::Nobody => 1,
        Verdict::Missing => 2,
        Verdict::Initial(None) => 3,
        Verdict::Initial(Some(_)) => 4,
        Verdict::Unhealthy(_) => 5,
    };
    if rank(&other) > rank(&one) { other } else { one }
}

fn connected(inputs: Inputs<'_>) -> impl Iterator<Item = &RouterSeen> {
    let registered = inputs.state.routers();
    let seen = registered.filter_map(move |router| inputs.observed.routers.get(&router.id));
    seen.filter(|seen| seen.presence.connected)
}

/// Whether a router is connected that can tell the health of targets.
pub(crate) fn is_checked(inputs: Inputs<'_>) -> bool {
    connected(inputs).next().is_some()
}

/// Whether a task can be trusted to serve although its agent is silent: a connected router finds it healthy, and none
/// finds fault with it. One that has only just started knows nothing, and says nothing against it.
pub(crate) fn is_vouched_for(inputs: Inputs<'_>, task: &Task) -> bool {
    let Some(service) = task.service.and_then(|id| inputs.state.service(id)) else { return false };
    let TaskPhase::Running { .. } = task.phase() else { return false };
    let mut is_healthy = false;
    for group in groups(service) {
        for seen in connected(inputs).filter_map(|router| router.targets.get(&(group, task.id))) {
            match seen.health {
                TargetHealth::Healthy => is_healthy = true,
                TargetHealth::Initial if seen.reason.is_none() => {}
                TargetHealth::Initial | TargetHealth::Unhealthy => return false,
            }
        }
    }
    is_healthy
}
