//! A deployment is given up when its tasks keep failing, and the last one that completed comes back.

use model::{
    CircuitBreaker, CompletedDeployment, Deployment, DeploymentChange, DeploymentFailure,
    RolloutState, Service, ServiceId, State, Stopped,
};

use crate::deployment;
use crate::proposals::Proposals;
use crate::situation::Situation;

/// Gives a deployment up whose tasks keep failing, and goes back to the last one that completed.
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
    let failure = DeploymentFailure::TasksFailed { count: deployment.failed_tasks, last };
    let fail = DeploymentChange::Fail { deployment: deployment.id, failure };
    let back = service.last_completed.clone().filter(|_| breaker.rollback);
    let back = back.map(|CompletedDeployment { id: _, task_definition, images }| {
        let failed = Some(deployment.id);
        let back = deployment::start(situation, id, task_definition, images, failed);
        DeploymentChange::Start(back)
    });
    Proposals::together([fail].into_iter().chain(back).map(Into::into).collect())
}

fn is_failing(service: &Service, deployment: &Deployment) -> bool {
    deployment.rollout_state == RolloutState::InProgress
        && deployment.rollback_of.is_none()
        && deployment.failed_tasks >= CircuitBreaker::threshold(service.desired_count)
}

fn last_failure(state: &State, deployment: &Deployment) -> Option<Stopped> {
    let tasks = state.tasks_of(deployment.service);
    let failed = tasks.filter(|task| {
        task.deployment == Some(deployment.id)
            && task.healthy_at().is_none()
            && task.stopped().is_some()
    });
    failed.max_by_key(|task| (task.stopping_at(), task.id))?.stopped().cloned()
}
