//! A task is healthy when it runs and every router that can tell says so; what is not known fails nothing.
//!
//! A task that was healthy before counts as healthy until a router says otherwise: routers come and go, and a new one
//! knows nothing at first. A task that never was waits for a report of every connected router.

use std::time::Duration;

use model::observed::{CheckFailure, RouterSeen, TargetHealth, TargetSeen};
use model::task::Run;
use model::{Service, TargetGroupId, Task, TaskPhase, Timestamp};

use crate::inputs::Inputs;
use crate::planted::{self, Fault};
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
    Initial(Option<Complaint>),
    Unhealthy(Complaint),
    /// A connected router has not got it yet, or has only just connected and not said what it has: it may serve from a table
    /// without it.
    Missing,
    /// No router is connected.
    Nobody,
}

/// What is wrong with a target.
#[derive(Clone)]
struct Complaint {
    /// For people.
    reason: String,
    /// None from a router that does not say it.
    failure: Option<CheckFailure>,
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
    if inputs.state.load_balancers_of(task).is_empty() {
        let steady_at = run.started_at.plus(inputs.settings.steady_after);
        return if is_proven {
            TaskHealth::Healthy.into()
        } else {
            until(inputs, steady_at, TaskHealth::Healthy)
        };
    }
    match verdict(inputs, task) {
        Verdict::Healthy => TaskHealth::Healthy.into(),
        Verdict::Initial(None) | Verdict::Missing | Verdict::Nobody if is_proven => {
            TaskHealth::Healthy.into()
        }
        Verdict::Initial(Some(complaint)) | Verdict::Unhealthy(complaint) if is_proven => {
            let then = TaskHealth::Unhealthy(complaint.reason);
            until(inputs, run.started_at.plus(grace(service)), then)
        }
        Verdict::Missing => TaskHealth::Starting.into(),
        Verdict::Nobody => TaskHealth::Unknown.into(),
        Verdict::Initial(_) | Verdict::Unhealthy(_) if !is_available => TaskHealth::Starting.into(),
        Verdict::Initial(complaint) => unproven(inputs, service, task, run, complaint),
        Verdict::Unhealthy(complaint) => unproven(inputs, service, task, run, Some(complaint)),
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

/// Gives a task that was never healthy its time. One that answers wrongly gets that of its checks; one that does not answer
/// yet, or says that it is not ready, gets longer: it may be slow to start, and a router that came back may have only just
/// begun to check. An instance that is away has its own rules.
fn unproven(
    inputs: Inputs<'_>,
    service: &Service,
    task: &Task,
    run: Run,
    complaint: Option<Complaint>,
) -> Assessed {
    let balancers = inputs.state.load_balancers_of(task).iter();
    let checks = balancers
        .map(|balancer| {
            let check = &balancer.health_check;
            let rounds = u64::from(check.interval_seconds) * u64::from(check.unhealthy_threshold);
            Duration::from_secs(rounds + u64::from(check.timeout_seconds))
        })
        .max()
        .unwrap_or_default();
    let checked = checks + inputs.settings.start_allowance;
    let answers_wrongly = complaint.as_ref().is_some_and(|complaint| match complaint.failure {
        Some(CheckFailure::WrongStatus) | None => true,
        Some(
            CheckFailure::Unreachable
            | CheckFailure::Refused
            | CheckFailure::NoAnswer
            | CheckFailure::Broken
            | CheckFailure::NotReady,
        ) => false,
    });
    let allowed =
        if answers_wrongly { checked } else { checked.max(inputs.settings.start_timeout) };
    let allowed = grace(service) + allowed;
    let from = run.started_at.max(inputs.observed.since);
    let reason = complaint.map_or_else(sentence::no_check_passed, |complaint| complaint.reason);
    until(inputs, from.plus(allowed), TaskHealth::Failing(reason))
}

fn groups<'a>(inputs: Inputs<'a>, task: &Task) -> impl Iterator<Item = TargetGroupId> + use<'a> {
    inputs.state.load_balancers_of(task).iter().map(|balancer| balancer.target_group)
}

/// The worst that a connected router says of any target of the task.
fn verdict(inputs: Inputs<'_>, task: &Task) -> Verdict {
    let heard = if planted::is_on(Fault::OneRouterIsEnough) { 1 } else { usize::MAX };
    let routers: Vec<_> = connected(inputs).take(heard).collect();
    if routers.is_empty() {
        return Verdict::Nobody;
    }
    let mut worst = Verdict::Healthy;
    for group in groups(inputs, task) {
        for router in &routers {
            let Some(seen) = router.targets.get(&(group, task.id)) else {
                worst = worse(worst, Verdict::Missing);
                continue;
            };
            worst = match seen.health {
                TargetHealth::Healthy => worst,
                TargetHealth::Initial => worse(worst, Verdict::Initial(complaint(seen))),
                TargetHealth::Unhealthy => {
                    let found = complaint(seen).unwrap_or_else(|| Complaint {
                        reason: sentence::found_unhealthy(),
                        failure: None,
                    });
                    worse(worst, Verdict::Unhealthy(found))
                }
            };
        }
    }
    worst
}

/// What a router complains of. One of the version before says it in a sentence alone.
fn complaint(seen: &TargetSeen) -> Option<Complaint> {
    let TargetSeen { reason, failure, .. } = seen;
    let is_any = reason.is_some() || failure.is_some();
    let reason = || reason.clone().unwrap_or_else(sentence::no_check_passed);
    is_any.then(|| Complaint { reason: reason(), failure: *failure })
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
    let TaskPhase::Running { .. } = task.phase() else { return false };
    let mut is_healthy = false;
    for group in groups(inputs, task) {
        for seen in connected(inputs).filter_map(|router| router.targets.get(&(group, task.id))) {
            match seen.health {
                TargetHealth::Healthy => is_healthy = true,
                TargetHealth::Initial if complaint(seen).is_none() => {}
                TargetHealth::Initial | TargetHealth::Unhealthy => return false,
            }
        }
    }
    is_healthy
}
