//! A task is healthy when it runs and every router that can tell says so; what nobody can tell fails nothing.
//!
//! A task that was healthy before counts as healthy until a router says otherwise: routers come and go, and a new one
//! knows nothing at first. A task that never was waits for a word of every connected router.

use std::time::Duration;

use model::observed::{RouterSeen, TargetHealth};
use model::{Service, ServiceId, TargetGroupId, Task, TaskChange, TaskId, TaskStatus};

use crate::draft::Draft;
use crate::sentence;

/// What a task of a service is worth now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Serves.
    Healthy,
    /// Was healthy, and fails its checks now.
    Unhealthy(String),
    /// Was never healthy, and its time is over.
    Failing(String),
    /// On its way.
    Starting,
    /// Runs, but no router is connected that could tell.
    Unknown,
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

/// The condition of a task that should run.
pub(crate) fn condition(draft: &mut Draft<'_>, service: &Service, task: &Task) -> Condition {
    let Some(started_at) = task.started_at.filter(|_| task.last_status == TaskStatus::Running)
    else {
        return Condition::Starting;
    };
    if service.load_balancers.is_empty() {
        let steady_at = started_at.plus(draft.settings.steady_after);
        if task.healthy_at.is_some() || draft.now >= steady_at {
            return Condition::Healthy;
        }
        draft.wake_at(steady_at);
        return Condition::Starting;
    }
    let grace = Duration::from_secs(u64::from(service.health_check_grace_period_seconds));
    let known_good = task.healthy_at.is_some();
    match verdict(draft, service, task.id) {
        Verdict::Healthy => Condition::Healthy,
        Verdict::Initial(None) | Verdict::Missing | Verdict::Nobody if known_good => {
            Condition::Healthy
        }
        Verdict::Initial(Some(reason)) | Verdict::Unhealthy(reason) if known_good => {
            let shown_at = started_at.plus(grace);
            if draft.now >= shown_at {
                return Condition::Unhealthy(reason);
            }
            draft.wake_at(shown_at);
            Condition::Starting
        }
        Verdict::Missing => Condition::Starting,
        Verdict::Nobody => Condition::Unknown,
        Verdict::Initial(reason) => failing(draft, service, task, reason),
        Verdict::Unhealthy(reason) => failing(draft, service, task, Some(reason)),
    }
}

/// Gives a task that was never healthy its time. Without a failed check to name, it gets that time twice: a router that
/// came back may have only just begun to check. An instance that is away has its own rules.
fn failing(
    draft: &mut Draft<'_>,
    service: &Service,
    task: &Task,
    reason: Option<String>,
) -> Condition {
    if !task.instance().is_some_and(|id| draft.attends(id)) {
        return Condition::Starting;
    }
    let grace = Duration::from_secs(u64::from(service.health_check_grace_period_seconds));
    let checks = groups(service)
        .filter_map(|id| draft.state.target_group(id))
        .map(|group| {
            let check = &group.health_check;
            let rounds = u64::from(check.interval_seconds) * u64::from(check.unhealthy_threshold);
            Duration::from_secs(rounds + u64::from(check.timeout_seconds))
        })
        .max()
        .unwrap_or_default();
    let allowed = grace + checks + draft.settings.start_allowance;
    let allowed = if reason.is_some() { allowed } else { allowed * 2 };
    let from = task.started_at.unwrap_or(task.created_at).max(draft.observed.since);
    let deadline = from.plus(allowed);
    if draft.now < deadline {
        draft.wake_at(deadline);
        return Condition::Starting;
    }
    Condition::Failing(reason.unwrap_or_else(sentence::no_check_passed))
}

fn groups(service: &Service) -> impl Iterator<Item = TargetGroupId> {
    service.load_balancers.iter().map(|balancer| balancer.target_group)
}

/// The worst that a connected router says of any target of the task.
fn verdict(draft: &Draft<'_>, service: &Service, task: TaskId) -> Verdict {
    let routers: Vec<_> = connected(draft).collect();
    if routers.is_empty() {
        return Verdict::Nobody;
    }
    let mut worst = Verdict::Healthy;
    let mut told = false;
    for group in groups(service) {
        for router in &routers {
            let Some(seen) = router.targets.get(&(group, task)) else {
                if router.applied.is_some() {
                    worst = worse(worst, Verdict::Missing);
                }
                continue;
            };
            told = true;
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
    // Routers that have just connected and said nothing yet.
    if told { worst } else { worse(worst, Verdict::Missing) }
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

fn connected<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = &'a RouterSeen> {
    draft
        .state
        .routers()
        .filter_map(|router| draft.observed.routers.get(&router.id))
        .filter(|seen| seen.presence.connected)
}

/// Whether no router is connected that could tell the health of the service's tasks.
pub(crate) fn is_unknowable(draft: &Draft<'_>, service: &Service) -> bool {
    !service.load_balancers.is_empty() && connected(draft).next().is_none()
}

/// Whether a task can be trusted to serve although its agent is silent: a connected router finds it healthy, and none
/// finds fault with it. One that has only just started knows nothing, and says nothing against it.
pub(crate) fn vouched_for(draft: &Draft<'_>, task: &Task) -> bool {
    let Some(service) = task.service.and_then(|id| draft.state.service(id)) else { return false };
    if task.last_status != TaskStatus::Running {
        return false;
    }
    let mut healthy = false;
    for group in groups(service) {
        for seen in connected(draft).filter_map(|router| router.targets.get(&(group, task.id))) {
            match seen.health {
                TargetHealth::Healthy => healthy = true,
                TargetHealth::Initial if seen.reason.is_none() => {}
                TargetHealth::Initial | TargetHealth::Unhealthy => return false,
            }
        }
    }
    healthy
}

/// Notes the tasks of a service that are healthy for the first time.
pub(crate) fn note(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id).cloned() else { return };
    let state = draft.state.clone();
    let unproven = state.tasks_of(id).filter(|task| task.wanted() && task.healthy_at.is_none());
    for task in unproven {
        if condition(draft, &service, task) == Condition::Healthy {
            draft.propose(TaskChange::Healthy(task.id));
        }
    }
}
