//! Where a deployment that somebody waits for is.

use api::Service;
use model::{DeploymentId, RolloutState};

/// Where a deployment that somebody waits for is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way, or on its way back.
    Rolling,
    /// It has replaced what was there before, and as many tasks run as should. It may still be watched.
    Done,
    /// It failed; where there was something to go back to, that is complete.
    Failed,
    /// Another one counts now that does not go back from it.
    Replaced(DeploymentId),
}

/// Where the deployment `wanted` of a service is.
pub(super) fn stage(service: &Service, wanted: DeploymentId) -> Stage {
    let Some(primary) = service.primary() else { return Stage::Rolling };
    let is_back = primary.rollback_of == Some(wanted) && primary.id != wanted;
    let all_run = service.running_count == service.desired_count;
    match primary.rollout_state {
        RolloutState::Completed if is_back => Stage::Failed,
        _ if is_back => Stage::Rolling,
        _ if primary.id != wanted => Stage::Replaced(primary.id),
        RolloutState::Completed if all_run => Stage::Done,
        RolloutState::InProgress if all_run && primary.bakes_until().is_some() => Stage::Done,
        // Going back begins in the same batch, so nothing comes any more.
        RolloutState::Failed | RolloutState::Stopped => Stage::Failed,
        RolloutState::Completed | RolloutState::InProgress => Stage::Rolling,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use api::{Deployment, DeploymentStatus};
    use model::{DeploymentCause, DeploymentStage, SchedulingStrategy, ServiceStatus, Timestamp};

    use super::*;

    fn id(n: u8) -> DeploymentId {
        DeploymentId::new(Timestamp::EPOCH, [n; 10])
    }

    /// The deployment `n`, perhaps on its way back from another.
    fn deployment(n: u8, rollback_of: Option<u8>, rollout_state: RolloutState) -> Deployment {
        Deployment {
            id: id(n),
            status: DeploymentStatus::Primary,
            task_definition: "hello:1".parse().unwrap(),
            images: BTreeMap::new(),
            desired_count: 2,
            running_count: 0,
            pending_count: 0,
            failed_tasks: 0,
            rollout_state,
            rollout_state_reason: String::new(),
            failure: None,
            rollback_of: rollback_of.map(id),
            revision: 1,
            crashed_tasks: 0,
            last_failure_at: None,
            stage: DeploymentStage::Serving,
            cause: DeploymentCause::Requested,
            created_at: Timestamp::EPOCH,
            created_by: String::new(),
            updated_at: Timestamp::EPOCH,
        }
    }

    /// Somebody waits for deployment 1 of a service of two tasks.
    #[track_caller]
    fn check(primary: Deployment, running_count: u32, expected: Stage) {
        let service = Service {
            service_name: "hello".parse().unwrap(),
            service_id: model::ServiceId::new(Timestamp::EPOCH, [0; 10]),
            cluster_name: api::default_cluster(),
            status: ServiceStatus::Active,
            desired_count: 2,
            running_count,
            pending_count: 0,
            revision: 1,
            task_definition: "hello:1".parse().unwrap(),
            images: BTreeMap::new(),
            problems: Vec::new(),
            url: None,
            scheduling_strategy: SchedulingStrategy::Replica,
            deployment_configuration: model::DeploymentConfiguration::default(),
            follow_tags: true,
            placement_failure: None,
            placement_failure_cause: None,
            load_balancers: Vec::new(),
            health_check_grace_period_seconds: 0,
            deployments: vec![primary],
            proven_revision: None,
            events: Vec::new(),
            created_at: Timestamp::EPOCH,
            created_by: String::new(),
        };
        assert_eq!(stage(&service, id(1)), expected);
    }

    #[test]
    fn a_deployment_is_done_when_it_is_complete_and_all_its_tasks_run() {
        check(deployment(1, None, RolloutState::InProgress), 2, Stage::Rolling);
        check(deployment(1, None, RolloutState::Completed), 1, Stage::Rolling);
        check(deployment(1, None, RolloutState::Completed), 2, Stage::Done);
    }

    #[test]
    fn a_deployment_that_has_replaced_the_old_one_is_done_while_it_is_watched() {
        let stage = DeploymentStage::Replaced { bake_until: Some(Timestamp::EPOCH) };
        let baking = Deployment { stage, ..deployment(1, None, RolloutState::InProgress) };
        check(baking.clone(), 1, Stage::Rolling);
        check(baking, 2, Stage::Done);
    }

    #[test]
    fn a_deployment_that_was_rolled_back_has_failed_once_the_old_one_is_back() {
        check(deployment(2, Some(1), RolloutState::InProgress), 2, Stage::Rolling);
        check(deployment(2, Some(1), RolloutState::Completed), 2, Stage::Failed);
        check(deployment(1, None, RolloutState::Failed), 0, Stage::Failed);
    }

    #[test]
    fn a_rollback_that_was_asked_for_is_no_failure() {
        check(deployment(1, Some(3), RolloutState::Completed), 2, Stage::Done);
    }

    #[test]
    fn a_newer_deployment_is_waited_for_instead() {
        check(deployment(2, None, RolloutState::InProgress), 2, Stage::Replaced(id(2)));
    }
}
