//! A service has its desired count of tasks of the deployment that counts, within its bounds, at every step.

use model::{
    Deployment, DeploymentChange, InstanceStatus, RolloutState, RoutingChange, Service,
    ServiceChange, ServiceId, ServiceStatus, StopCause, Stopped, TaskChange, TaskId, TaskStatus,
};

use crate::draft::Draft;
use crate::health::{self, Condition};
use crate::launch::{Launch, Notice};
use crate::rolling::{Bounds, Cause, Member, Roster};
use crate::{deployment, instance, sentence};

/// Plans one service; it looks at no other.
pub(crate) fn plan(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(status) = draft.state.service(id).map(|service| service.status) else { return };
    match status {
        ServiceStatus::Draining => wind_down(draft, id),
        ServiceStatus::Active => {
            health::note(draft, id);
            deployment::follow(draft, id);
            fail_overdue(draft, id);
            deployment::judge(draft, id);
            roll(draft, id);
        }
    }
}

fn wind_down(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id) else { return };
    let reason = sentence::service_removed(&service.name);
    let stopped = Stopped::new(StopCause::ServiceRemoved, reason);
    let tasks: Vec<_> = draft.state.tasks_of(id).map(|task| task.id).collect();
    if tasks.is_empty() {
        let state = draft.state.clone();
        for rule in state.rules().filter(|rule| rule.service == Some(id)) {
            draft.propose(RoutingChange::RemoveRule(rule.id));
        }
        draft.propose(ServiceChange::Remove(id));
    }
    for task in tasks {
        draft.propose(TaskChange::Stop { task, stopped: stopped.clone() });
    }
}

/// Stops tasks that never became healthy in their time. It counts against their deployment.
fn fail_overdue(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id).cloned() else { return };
    let state = draft.state.clone();
    let unproven = state.tasks_of(id).filter(|task| task.wanted() && task.healthy_at.is_none());
    for task in unproven {
        if let Condition::Failing(reason) = health::condition(draft, &service, task) {
            let reason = sentence::never_healthy(&reason);
            let stopped = Stopped::new(StopCause::NeverHealthy, reason);
            draft.propose(TaskChange::Fail { task: task.id, stopped });
        }
    }
}

/// Starts what is missing, stops what is too much, and completes the deployment.
fn roll(draft: &mut Draft<'_>, id: ServiceId) {
    let Some(service) = draft.state.service(id).cloned() else { return };
    let Some(deployment) = service.deployment.and_then(|id| draft.state.deployment(id)).cloned()
    else {
        return;
    };
    let bounds = Bounds::of(&service);
    let mut roster = roster(draft, &service, &deployment);
    let idle = roster.take_idle();
    for task in &idle {
        stop(draft, *task, &Cause::Replaced, &service, &deployment);
    }
    let launch = Launch::start(draft, &service, &deployment, &mut roster, bounds);
    let stops = roster.stops(bounds, launch.shortage);
    for (task, cause) in &stops {
        stop(draft, *task, cause, &service, &deployment);
    }
    complete(draft, &service, &deployment);
    let failure = match launch.notice(draft, &service, &roster, bounds, idle.len() + stops.len()) {
        Notice::Keep => return,
        Notice::Clear => None,
        Notice::Say(failure) => Some(failure),
    };
    draft.propose(ServiceChange::SetPlacementFailure { service: id, failure });
}

fn roster(draft: &mut Draft<'_>, service: &Service, deployment: &Deployment) -> Roster {
    let holds = health::is_unknowable(draft, service);
    let mut roster = Roster { holds, ..Roster::default() };
    let state = draft.state.clone();
    for task in state.tasks_of(service.id) {
        if !task.wanted() {
            // One on an instance that is away may hold its room for long.
            let ends_soon = task.last_status != TaskStatus::Stopped
                && task.instance().is_some_and(|id| draft.attends(id));
            roster.stopping += usize::from(ends_soon);
            continue;
        }
        let host = task.instance().and_then(|id| draft.state.instance(id));
        let keeps = host.is_none_or(|host| {
            host.status == InstanceStatus::Active && !draft.lost.contains(&host.id)
        });
        let member = Member {
            id: task.id,
            created_at: task.created_at,
            replaceable: keeps && task.instance().is_some_and(|id| draft.attends(id)),
            condition: health::condition(draft, service, task),
            runs: task.last_status == TaskStatus::Running,
        };
        if keeps && deployment.owns(task) {
            roster.fresh.push(member);
        } else {
            roster.stale.push(member);
        }
    }
    roster
}

fn stop(
    draft: &mut Draft<'_>,
    id: TaskId,
    cause: &Cause,
    service: &Service,
    deployment: &Deployment,
) {
    let Some(task) = draft.state.task(id) else { return };
    let host = task.instance().and_then(|id| draft.state.instance(id));
    let (cause, reason) = match cause {
        Cause::Unhealthy(check) => {
            let reason = sentence::turned_unhealthy(check);
            let stopped = Stopped::new(StopCause::TurnedUnhealthy, reason);
            draft.propose(TaskChange::Fail { task: id, stopped });
            return;
        }
        Cause::ScaledIn => (StopCause::ScaledIn, sentence::scaled_in(service.desired_count)),
        Cause::Replaced if !deployment.owns(task) => {
            (StopCause::Replaced, sentence::replaced(deployment.id))
        }
        Cause::Replaced => match host {
            Some(host) if draft.lost.contains(&host.id) => {
                let stopped = instance::silence(draft, host.id);
                draft.propose(TaskChange::Stop { task: id, stopped });
                return;
            }
            Some(host) => (StopCause::InstanceDraining, sentence::instance_draining(&host.name)),
            None => (StopCause::InstanceRemoved, sentence::instance_gone()),
        },
    };
    draft.propose(TaskChange::Stop { task: id, stopped: Stopped::new(cause, reason) });
}

/// The deployment is done when its desired count is healthy and nothing older should run.
fn complete(draft: &mut Draft<'_>, service: &Service, deployment: &Deployment) {
    if deployment.rollout_state != RolloutState::InProgress {
        return;
    }
    let state = draft.state.clone();
    let tasks = state.tasks_of(service.id).filter(|task| task.wanted());
    let (own, older): (Vec<_>, Vec<_>) = tasks.partition(|task| deployment.owns(task));
    if !older.is_empty() {
        return;
    }
    let mut healthy = 0;
    for task in own {
        healthy += usize::from(health::condition(draft, service, task) == Condition::Healthy);
    }
    if healthy >= Bounds::of(service).desired {
        draft.propose(DeploymentChange::Complete(deployment.id));
    }
}
