//! A deployment is given up when its tasks keep failing, and the newest revision that proved itself comes back with all
//! that it says.

use model::{
    CircuitBreaker, Deployment, DeploymentCause, DeploymentChange, DeploymentFailure,
    RevisionOrigin, RolledOut, RolloutState, Service, ServiceId, ServiceRevision, State, StopCode,
    Stopped, Task,
};

use crate::deployment;
use crate::planted::{self, Fault};
use crate::proposals::Proposals;
use crate::situation::Situation;

/// Gives a deployment up whose tasks keep failing, before they are healthy or after, and goes back to the newest revision
/// that proved itself.
///
/// A roll-back is never given up: there is nothing better to go to, so it is tried again at the pace of the back-off.
pub(crate) fn step(situation: &Situation<'_>, id: ServiceId) -> Proposals {
    let Some((service, deployment)) = situation.rollout(id) else { return Proposals::default() };
    let breaker = &service.deployment_configuration.deployment_circuit_breaker;
    if !breaker.enable || !is_failing(service, deployment) {
        return Proposals::default();
    }
    // A task that has just been forgotten may be the one that failed.
    let last = last_failure(situation.facts.inputs.state, deployment)
        .or_else(|| last_failure(situation.state, deployment));
    let count = deployment.failed_tasks.max(deployment.crashed_tasks);
    let unproven_settings = unproven_settings(situation.state, service, deployment);
    let failure = DeploymentFailure::TasksFailed { count, last, unproven_settings };
    let fail = DeploymentChange::Fail { deployment: deployment.id, failure };
    let target = target(situation.state, service, deployment)
        .filter(|_| breaker.rollback && !planted::is_on(Fault::NoRollback));
    let back = target.map(|revision| {
        let cause = DeploymentCause::Failure { of: deployment.id };
        let by = deployment::BY_SCHEDULER.to_owned();
        DeploymentChange::Start(deployment::start(
            situation,
            id,
            RolledOut::Known(revision.id),
            cause,
            by,
        ))
    });
    Proposals::together([fail].into_iter().chain(back).map(Into::into).collect())
}

/// Where to go back to: the newest revision that proved itself, or, while none has yet, what was in force before.
fn target<'a>(
    state: &'a State,
    service: &Service,
    deployment: &Deployment,
) -> Option<&'a ServiceRevision> {
    let before = || state.service_revision(*deployment.replaces.first()?);
    let target = state.proven_revision(service).or_else(before);
    target.filter(|revision| revision.id != deployment.revision)
}

fn is_failing(service: &Service, deployment: &Deployment) -> bool {
    let threshold = CircuitBreaker::threshold(service.desired_count);
    deployment.rollout_state == RolloutState::InProgress
        && !deployment.cause.is_rollback()
        && deployment.failed_tasks.max(deployment.crashed_tasks) >= threshold
}

/// The revision whose settings a push was built on, by number, where they have not proved themselves.
fn unproven_settings(state: &State, service: &Service, deployment: &Deployment) -> Option<u32> {
    let revision = state.service_revision(deployment.revision)?;
    let base = revision.base.filter(|_| revision.origin == RevisionOrigin::Pushed)?;
    let base = state.service_revision(base).filter(|base| !service.completed.contains(&base.id))?;
    Some(base.number)
}

fn last_failure(state: &State, deployment: &Deployment) -> Option<Stopped> {
    let tasks = state.tasks_of(deployment.service);
    let failed = tasks.filter(|task| task.deployment == Some(deployment.id) && has_failed(task));
    failed.max_by_key(|task| (task.stopping_at(), task.id))?.stopped().cloned()
}

/// Whether the task itself is why it stopped.
fn has_failed(task: &Task) -> bool {
    task.stopped().is_some_and(|stopped| match stopped.code {
        StopCode::TaskFailedToStart | StopCode::EssentialContainerExited => true,
        StopCode::ServiceSchedulerInitiated => {
            stopped.cause.is_some_and(model::StopCause::is_failed_health)
        }
        StopCode::UserInitiated | StopCode::InfrastructureHealth => false,
    })
}
