//! What a deployment brings into force, and what it leaves.

use super::tests::{apply, refused, running};
use crate::change::ServiceUpdate;
use crate::history::ServiceEvent;
use crate::state::tests::world::*;
use crate::*;

fn hosts(state: &State) -> Vec<String> {
    let rules = state.service_rules(state.service(service().id).unwrap());
    rules.into_iter().flat_map(|rule| rule.conditions.host_header).collect()
}

fn scale(count: u32) -> ServiceChange {
    ServiceChange::Update(ServiceUpdate {
        service: Some(service().id),
        desired_count: Some(count),
        ..ServiceUpdate::default()
    })
}

/// A task of the deployment `n` runs.
fn runs(state: &mut State, task_number: u8, n: u8) {
    let images = vec![("web".parse().unwrap(), image(1))];
    let service = Some((service().id, deployment(n, 1).id));
    let new = NewTask { service, images, resources: Resources::new(10, 10), ..task(task_number) };
    apply(state, TaskChange::Create(new));
    apply(state, report(task_number, TaskStatus::Running));
}

fn bake(n: u8) -> DeploymentChange {
    DeploymentChange::Bake { deployment: deployment(n, 1).id, until: at(60_000) }
}

fn complete(n: u8) -> DeploymentChange {
    DeploymentChange::Complete(deployment(n, 1).id)
}

fn fail(n: u8) -> DeploymentChange {
    let failure = DeploymentFailure::TasksFailed { count: 3, last: None, unproven_settings: None };
    DeploymentChange::Fail { deployment: deployment(n, 1).id, failure }
}

/// The first revision has proved itself.
fn proven() -> State {
    let mut state = world();
    running(&mut state, 1);
    apply(&mut state, TaskChange::Healthy(task(1).id));
    apply(&mut state, complete(1));
    state
}

#[test]
fn the_rules_of_a_first_revision_are_in_force_at_once() {
    assert_eq!(hosts(&world()), [host(1)]);
}

#[test]
fn rules_come_with_the_first_healthy_task_and_older_ones_go_when_they_are_replaced() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    runs(&mut state, 2, 2);
    assert_eq!(hosts(&state), [host(1)]);
    apply(&mut state, TaskChange::Healthy(task(2).id));
    assert_eq!(hosts(&state), [host(2), host(1)]);
    let view = state.router_view();
    assert_eq!(view.rules.len(), 3, "one that somebody made beside them");
    apply(&mut state, bake(2));
    assert_eq!(hosts(&state), [host(2)]);
    assert_eq!(state.service(service().id).unwrap().completed, [revision_id(1)]);
    apply(&mut state, complete(2));
    assert_eq!(state.service(service().id).unwrap().completed, [revision_id(1), revision_id(2)]);
}

#[test]
fn a_deployment_that_fails_leaves_everything_as_it_was() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    runs(&mut state, 2, 2);
    apply(&mut state, TaskChange::Healthy(task(2).id));
    apply(&mut state, fail(2));
    apply(&mut state, DeploymentChange::Start(back(3, 1)));
    assert_eq!(hosts(&state), [host(1), host(2)], "until what failed is gone");
    apply(&mut state, complete(3));
    assert_eq!(hosts(&state), [host(1)]);
    let service = state.service(service().id).unwrap();
    assert_eq!(state.requested_revision(service).unwrap().id, revision_id(1));
    assert_eq!(service.completed, [revision_id(1)], "going back is not a step forward");
}

#[test]
fn going_back_to_what_still_serves_is_in_force_at_once() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    runs(&mut state, 2, 2);
    apply(&mut state, TaskChange::Healthy(task(2).id));
    apply(&mut state, bake(2));
    assert_eq!(hosts(&state), [host(2)]);
    apply(&mut state, DeploymentChange::Start(back(3, 1)));
    assert_eq!(hosts(&state), [host(1), host(2)], "a task of the first one is there and healthy");
}

#[test]
fn with_no_task_wanted_rules_act_at_once_and_prove_nothing() {
    let mut state = proven();
    apply(&mut state, scale(0));
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    assert_eq!(hosts(&state), [host(2)]);
    apply(&mut state, complete(2));
    let known = |state: &State| state.service(service().id).unwrap().completed.clone();
    assert_eq!(known(&state), [revision_id(1)]);
    apply(&mut state, scale(1));
    let current = state.deployment(deployment(2, 1).id).unwrap();
    assert_eq!(current.rollout_state, RolloutState::InProgress, "it is proved now");
}

#[test]
fn hosts_of_what_runs_is_to_run_or_proved_itself_last_are_nobody_elses() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    for n in [1, 2] {
        let conditions = Conditions::host_and_path(&host(n), "/");
        let taken = Rule { conditions, priority: None, ..rule(40) };
        let refusal = refused(&mut state, RoutingChange::CreateRule(taken));
        assert!(
            matches!(&refusal, Refusal::RuleConflict { service: Some(name), .. } if *name == service().name),
            "{refusal:?}"
        );
    }
}

#[test]
fn a_roll_back_to_a_host_that_somebody_took_since_does_not_begin() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    runs(&mut state, 2, 2);
    apply(&mut state, TaskChange::Healthy(task(2).id));
    apply(&mut state, complete(2));
    let conditions = Conditions::host_and_path(&host(1), "/");
    apply(&mut state, RoutingChange::CreateRule(Rule { conditions, ..rule(40) }));
    let refusal = refused(&mut state, DeploymentChange::Start(back(3, 1)));
    assert!(matches!(refusal, Refusal::RuleConflict { service: None, .. }), "{refusal:?}");
}

#[test]
fn revisions_of_a_service_come_one_after_the_other() {
    let mut state = proven();
    let refusal = refused(&mut state, DeploymentChange::Start(deployment(3, 1)));
    assert!(
        matches!(refusal, Refusal::NotNextServiceRevision { given: 3, next: 2, .. }),
        "{refusal:?}"
    );
}

#[test]
fn ten_revisions_that_proved_themselves_are_kept_and_those_that_did_not_go() {
    let mut state = proven();
    for n in 2..=40 {
        apply(&mut state, DeploymentChange::Start(deployment(n, 1)));
        if n % 2 == 0 {
            apply(&mut state, complete(n));
        }
    }
    let known = state.service(service().id).unwrap();
    assert_eq!(known.completed.len(), 10);
    assert!(known.completed.iter().all(|id| state.service_revision(*id).is_some()));
    assert_eq!(state.deployments_of(known.id).count(), 21, "twenty, and one with a task");
}

#[test]
fn a_push_that_failed_is_not_tried_again_by_other_settings() {
    let mut state = world();
    apply(
        &mut state,
        RepositoryChange::Create(Repository { name: "hello".parse().unwrap(), created_at: at(1) }),
    );
    let latest =
        |n| Tag { repository: "hello".parse().unwrap(), name: "latest".parse().unwrap(), ..tag(n) };
    let tried = |state: &State| {
        state.service(service().id).unwrap().last_tried.get(&"web".parse().unwrap()).copied()
    };
    apply(&mut state, RepositoryChange::PutTag(latest(2)));
    apply(&mut state, DeploymentChange::Start(deployment(2, 2)));
    assert_eq!(tried(&state), Some(digest(2)));
    apply(&mut state, DeploymentChange::Start(back(3, 1)));
    apply(
        &mut state,
        DeploymentChange::Start(NewDeployment {
            revision: RolledOut::New(ServiceRevision { number: 3, ..revision(9, 1) }),
            ..deployment(9, 1)
        }),
    );
    assert_eq!(tried(&state), Some(digest(2)));
}

#[test]
fn a_revision_whose_port_nobody_maps_is_refused() {
    let mut state = proven();
    let mut next = revision(2, 1);
    next.load_balancers[0].container_port = 9090;
    let start = NewDeployment { revision: RolledOut::New(next), ..deployment(2, 1) };
    let refusal = refused(&mut state, DeploymentChange::Start(start));
    assert!(
        matches!(&refusal, Refusal::Invalid(InvalidChange::NoTrafficPort { port: 9090, .. })),
        "{refusal:?}"
    );
}

#[test]
fn an_image_has_a_user_while_a_task_of_it_may_still_be_started() {
    let mut state = proven();
    let PinnedImage { repository, digest } = image(1);
    let user = |state: &State| {
        let found = state.image_user(&repository, &digest);
        found.map(|(service, revision)| (service.name.to_string(), revision.number))
    };
    assert_eq!(user(&state), Some(("hello".to_owned(), 1)));
    assert!(state.image_user(&repository, &image(9).digest).is_none());
    apply(&mut state, ServiceChange::Drain(service().id));
    apply(&mut state, report(1, TaskStatus::Stopped));
    apply(&mut state, TaskChange::Forget(task(1).id));
    let rules: Vec<RuleId> = state.rules().map(|rule| rule.id).collect();
    for id in rules {
        apply(&mut state, RoutingChange::RemoveRule(id));
    }
    apply(&mut state, ServiceChange::Remove(service().id));
    assert_eq!(user(&state), None, "it goes with the service");
}

#[test]
fn equal_ends_of_tasks_that_were_healthy_are_counted_and_told_ever_more_rarely() {
    let mut state = proven();
    let end = |state: &mut State, n: u8, reason: &str| -> Option<u32> {
        runs(state, n, 1);
        apply(state, TaskChange::Healthy(task(n).id));
        let Change::Task(TaskChange::Report(mut ended)) = report(n, TaskStatus::Stopped) else {
            panic!("a report of a task")
        };
        ended.stopped = Some(Stopped::new(StopCause::ContainerExited, reason));
        let touched = state.apply(&TaskChange::Report(ended).into(), at(100)).unwrap();
        let told = touched.history.iter().find_map(|row| {
            let History::Event(ServiceEvent { event, .. }) = row else { return None };
            let Some(EventKind::TaskStopped { times, .. }) = event else { return None };
            Some(*times)
        });
        apply(state, TaskChange::Forget(task(n).id));
        told
    };
    let told: Vec<_> = (2..=10).map(|n| end(&mut state, n, "exited with code 1")).collect();
    assert_eq!(
        told,
        [Some(1), Some(2), None, Some(4), None, None, None, Some(8), None],
        "the first, and then each time that their number has doubled"
    );
    assert_eq!(end(&mut state, 11, "exited with code 2"), Some(1), "another end is told at once");
}

#[test]
fn a_watch_that_a_suspension_interrupted_begins_anew() {
    let mut state = proven();
    apply(&mut state, DeploymentChange::Start(deployment(2, 1)));
    runs(&mut state, 2, 2);
    apply(&mut state, TaskChange::Healthy(task(2).id));
    let until = at(100).plus(std::time::Duration::from_secs(1));
    apply(&mut state, DeploymentChange::Bake { deployment: deployment(2, 1).id, until });
    let id = instance().id;
    apply(&mut state, InstanceChange::SetSuspended { instance: id, suspended: true });
    assert_eq!(state.deployment(deployment(2, 1).id).unwrap().bakes_until(), Some(until));
    apply(&mut state, InstanceChange::SetSuspended { instance: id, suspended: false });
    let anew = at(100).plus(DeploymentConfiguration::default().bake_time());
    assert_eq!(state.deployment(deployment(2, 1).id).unwrap().bakes_until(), Some(anew));
}
