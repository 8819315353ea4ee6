//! A service has its desired count of tasks of the deployment that counts, within its bounds, at every step.

use model::{
    Deployment, DeploymentChange, InstanceStatus, RolloutState, RoutingChange, Service,
    ServiceChange, ServiceId, ServiceStatus, StopCause, Stopped, Task, TaskChange, TaskStatus,
};

use crate::builder::ServiceStep;
use crate::health::TaskHealth;
use crate::launch::Launch;
use crate::planted::{self, Fault};
use crate::proposals::Proposals;
use crate::rolling::{Bounds, Cause, Member, ServiceTasks, Stop};
use crate::situation::Situation;
use crate::{breaker, deployment, lost, sentence};

/// What is planned for one service, in this order; no step looks at another service.
pub(crate) const STEPS: [ServiceStep; 6] =
    [wind_down, prove, deployment::follow, fail_overdue, breaker::step, roll];

/// Stops the tasks of a service that was removed; it goes with the last of them.
fn wind_down(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let state = situation.state;
    let Some(service) =
        state.service(id).filter(|service| service.status == ServiceStatus::Draining)
    else {
        return Proposals::default();
    };
    let mut tasks = state.tasks_of(id).peekable();
    if tasks.peek().is_none() {
        if planted::is_on(Fault::RemovedServiceStays) {
            return Proposals::default();
        }
        let rules = state.rules().filter(|rule| rule.service == Some(id));
        let rules: Proposals = rules.map(|rule| RoutingChange::RemoveRule(rule.id)).collect();
        return rules.and(Proposals::one(ServiceChange::Remove(id)));
    }
    let reason = sentence::service_removed(&service.name);
    let stopped = Stopped::new(StopCause::ServiceRemoved, reason);
    tasks.map(|task| TaskChange::Stop { task: task.id, stopped: stopped.clone() }).collect()
}

/// Tasks that should run and have not been healthy yet.
fn unproven<'a>(situation: &Situation<'a>, id: ServiceId) -> impl Iterator<Item = &'a Task> {
    let state = situation.state;
    let tasks = situation.active(id).into_iter().flat_map(|service| state.tasks_of(service.id));
    tasks.filter(|task| task.wanted() && task.healthy_at().is_none())
}

/// Notes the tasks that are healthy for the first time.
fn prove(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let healthy = unproven(situation, id)
        .filter(|task| *situation.facts.health(task.id) == TaskHealth::Healthy);
    healthy.map(|task| TaskChange::Healthy(task.id)).collect()
}

/// Stops tasks that never became healthy in their time. It counts against their deployment.
fn fail_overdue(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let overdue = unproven(situation, id).filter_map(|task| {
        let TaskHealth::Failing(check) = situation.facts.health(task.id) else { return None };
        let stopped = Stopped::new(StopCause::NeverHealthy, sentence::never_healthy(check));
        Some(TaskChange::Fail { task: task.id, stopped })
    });
    overdue.collect()
}

/// Starts what is missing, stops what is too much, and completes the deployment.
fn roll(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let Some((service, deployment)) = situation.rollout(id) else { return Proposals::default() };
    let bounds = Bounds::of(service);
    let (idle, tasks) = tasks(situation, service, deployment).without_idle();
    let launch = Launch::of(situation, service, deployment, &tasks, bounds);
    let started = launch.tasks.iter().map(|task| Member::new(task.id, task.created_at));
    let tasks = tasks.with(started);
    let stops = tasks.stops(bounds, launch.shortage);
    let is_done =
        deployment.rollout_state == RolloutState::InProgress && tasks.is_complete(bounds, &stops);
    let notice = launch.notice(situation, service, &tasks, bounds, idle.len() + stops.len());

    let stop = |stops: &[Stop]| -> Proposals {
        stops.iter().filter_map(|one| stop(situation, service, deployment, one)).collect()
    };
    let finish =
        if is_done { finish(situation, service, deployment) } else { Proposals::default() };
    stop(&idle)
        .and(launch.tasks.into_iter().map(TaskChange::Create).collect())
        .and(stop(&stops))
        .and(finish)
        .and(notice)
}

/// What has replaced everything before it is watched for a while before it counts as complete, unless it goes back to what
/// was there before or there is no task to watch.
fn finish(situation: &Situation<'_>, service: &Service, deployment: &Deployment) -> Proposals {
    let now = situation.facts.inputs.now;
    let complete = || Proposals::one(DeploymentChange::Complete(deployment.id));
    let bake_time = service.deployment_configuration.bake_time();
    let is_proven =
        service.completed.contains(&deployment.revision) || deployment.cause.is_rollback();
    match deployment.bakes_until() {
        // A time of zero that was set meanwhile ends it.
        Some(until) if until > now && !bake_time.is_zero() => Proposals::wake(until),
        Some(_) => complete(),
        None if is_proven || service.desired_count == 0 || bake_time.is_zero() => complete(),
        None => {
            let (deployment, until) = (deployment.id, now.plus(bake_time));
            Proposals::one(DeploymentChange::Bake { deployment, until }).and(Proposals::wake(until))
        }
    }
}

fn tasks(situation: &Situation<'_>, service: &Service, deployment: &Deployment) -> ServiceTasks {
    let Situation { facts, state, .. } = situation;
    let (wanted, others): (Vec<&Task>, Vec<_>) =
        state.tasks_of(service.id).partition(|task| task.wanted());
    let is_available = |task: &Task| task.instance().is_some_and(|id| facts.is_available(id));
    // One on an instance that is away may hold its room for long.
    let ends_soon = |task: &&&Task| task.last_status() != TaskStatus::Stopped && is_available(task);
    let (fresh, stale) = wanted
        .into_iter()
        .map(|task| {
            let host = task.instance().and_then(|id| state.instance(id));
            let keeps = host.is_none_or(|host| {
                let is_open = host.status == InstanceStatus::Active && !host.suspended;
                is_open && !facts.is_lost(host.id)
            });
            let member = Member {
                id: task.id,
                created_at: task.created_at,
                health: facts.health(task.id).clone(),
                runs: task.last_status() == TaskStatus::Running,
                is_replaceable: keeps && is_available(task),
                is_own: state.owns(deployment, task),
            };
            (keeps, member)
        })
        .partition::<Vec<_>, _>(|(keeps, member)| *keeps && member.is_own);
    let members = |all: Vec<(bool, Member)>| all.into_iter().map(|(_, member)| member).collect();
    ServiceTasks {
        fresh: members(fresh),
        stale: members(stale),
        stopping: others.iter().filter(ends_soon).count(),
        holds: facts.is_unknowable(service),
    }
}

fn stop(
    situation: &Situation<'_>,
    service: &Service,
    deployment: &Deployment,
    stop: &Stop,
) -> Option<TaskChange> {
    let Situation { facts, state, .. } = situation;
    let task = state.task(stop.task)?;
    let host = task.instance().and_then(|id| state.instance(id));
    let stopped = match &stop.cause {
        Cause::Unhealthy(check) => {
            let reason = sentence::turned_unhealthy(check);
            let stopped = Stopped::new(StopCause::TurnedUnhealthy, reason);
            return Some(TaskChange::Fail { task: task.id, stopped });
        }
        Cause::ScaledIn => {
            Stopped::new(StopCause::ScaledIn, sentence::scaled_in(service.desired_count))
        }
        Cause::Replaced if !state.owns(deployment, task) => {
            Stopped::new(StopCause::Replaced, sentence::replaced(deployment.id))
        }
        Cause::Replaced => match host {
            Some(host) if facts.is_lost(host.id) => lost::silence(situation, host.id),
            Some(host) => {
                Stopped::new(StopCause::InstanceDraining, sentence::instance_draining(&host.name))
            }
            None => Stopped::new(StopCause::InstanceRemoved, sentence::instance_gone()),
        },
    };
    Some(TaskChange::Stop { task: task.id, stopped })
}
