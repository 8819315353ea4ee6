//! What each Change promises.

use std::net::Ipv4Addr;

use crate::change::{ServiceUpdate, TaskReport};
use crate::state::tests::world::*;
use crate::*;

#[track_caller]
pub(super) fn apply(state: &mut State, change: impl Into<Change>) {
    let change = change.into();
    let before = state.clone();
    let touched = state.apply(&change, at(100)).unwrap();
    // What is written is exactly what differs.
    let keys = before.row_keys().into_iter().chain(state.row_keys());
    for key in keys.chain(touched.rows.clone()) {
        let differs = before.row(&key) != state.row(&key);
        assert_eq!(differs, touched.rows.contains(&key), "row {key} after {change:?}");
    }
}

#[track_caller]
pub(super) fn refused(state: &mut State, change: impl Into<Change>) -> Refusal {
    let before = state.clone();
    let refusal = state.apply(&change.into(), at(100)).unwrap_err();
    let rows = |state: &State| -> Vec<_> {
        state.row_keys().into_iter().map(|key| (state.row(&key), key)).collect()
    };
    assert_eq!(rows(&before), rows(state), "a refused change has changed something");
    refusal
}

/// A Change is refused for this very reason.
macro_rules! assert_refused {
    ($state:expr, $change:expr, $pattern:pat $(if $guard:expr)?) => {{
        let refusal = refused($state, $change);
        assert!(matches!(&refusal, $pattern $(if $guard)?), "{refusal:?}");
    }};
}

pub(super) fn running(state: &mut State, n: u8) {
    apply(state, TaskChange::Create(task(n)));
    apply(state, report(n, TaskStatus::Activating));
    apply(state, report(n, TaskStatus::Running));
}

fn status(state: &State, n: u8) -> TaskStatus {
    state.task(task(n).id).unwrap().last_status()
}

#[test]
fn a_task_moves_forward_only() {
    let mut state = world();
    running(&mut state, 1);
    apply(&mut state, report(1, TaskStatus::Activating));
    assert_eq!(status(&state, 1), TaskStatus::Running);
    let stop = Change::from(TaskChange::Stop {
        task: task(1).id,
        stopped: Stopped::new(StopCause::UserRequest, "enough"),
    });
    apply(&mut state, stop.clone());
    assert_eq!(status(&state, 1), TaskStatus::Deactivating);
    apply(&mut state, report(1, TaskStatus::Running));
    assert_eq!(status(&state, 1), TaskStatus::Deactivating, "a late report brings nothing back");
    apply(&mut state, stop);
    apply(&mut state, TaskChange::Drained(task(1).id));
    assert_eq!(status(&state, 1), TaskStatus::Stopping);
    apply(&mut state, report(1, TaskStatus::Stopped));
    assert_eq!(status(&state, 1), TaskStatus::Stopped);
    let task = state.task(task(1).id).unwrap();
    let stopped = Stopped::new(StopCause::UserRequest, "enough");
    assert_eq!(task.stopped(), Some(&stopped), "what told it to stop stays the reason");
    assert_eq!(task.unrouted_at(), Some(StateRevision(1)));
}

#[test]
fn only_stopping_is_an_order_to_stop() {
    let mut state = world();
    running(&mut state, 1);
    let wanted = |state: &State| state.agent_view(instance().id).unwrap().tasks[&task(1).id].wanted;
    let targets = |state: &State| state.router_view().targets.into_values().collect::<Vec<_>>();
    assert_eq!((wanted(&state), targets(&state).len()), (Wanted::Run, 1));
    let stopped = Stopped::new(StopCause::ScaledIn, "scale in");
    apply(&mut state, TaskChange::Stop { task: task(1).id, stopped });
    assert_eq!(wanted(&state), Wanted::Run, "routers are not done with it");
    assert!(targets(&state)[0].draining);
    apply(&mut state, TaskChange::Drained(task(1).id));
    assert_eq!((wanted(&state), targets(&state).len()), (Wanted::Stop, 0));
    apply(&mut state, report(1, TaskStatus::Stopped));
    assert_eq!(wanted(&state), Wanted::Reap);
    apply(&mut state, TaskChange::Reaped { instance: instance().id, task: task(1).id });
    assert!(state.agent_view(instance().id).unwrap().tasks.is_empty());
}

#[test]
fn no_placement_takes_reservations_over_capacity() {
    let mut state = world();
    running(&mut state, 1);
    running(&mut state, 2);
    let short = Shortfall { dimension: Dimension::Memory, needed: 512, free: 0 };
    assert_refused!(
        &mut state,
        TaskChange::Create(task(3)),
        Refusal::NoRoom { shortfalls, .. } if *shortfalls == [short]
    );
    apply(&mut state, report(1, TaskStatus::Stopped));
    apply(&mut state, TaskChange::Create(task(3)));
}

#[test]
fn an_address_or_port_is_given_out_once_until_its_task_is_forgotten() {
    let mut state = world();
    running(&mut state, 1);
    let mut same_address = task(2);
    same_address.placement.as_mut().unwrap().address = Ipv4Addr::new(10, 90, 3, 11);
    let mut same_port = task(2);
    same_port.placement.as_mut().unwrap().ports[0].host_port = 20_001;
    apply(&mut state, report(1, TaskStatus::Stopped));
    assert_refused!(
        &mut state,
        TaskChange::Create(same_address.clone()),
        Refusal::InUse { kind: "address", name, by: User::Task(_) } if name == "10.90.3.11"
    );
    assert_refused!(
        &mut state,
        TaskChange::Create(same_port),
        Refusal::InUse { kind: "host port", name, by: User::Task(_) } if name == "20001"
    );
    apply(&mut state, TaskChange::Forget(task(1).id));
    apply(&mut state, TaskChange::Create(same_address));
}

#[test]
fn an_agent_reports_only_its_own_tasks() {
    let mut state = world();
    running(&mut state, 1);
    let foreign = Change::from(TaskChange::Report(TaskReport {
        instance: InstanceId::new(at(2), seed(7)),
        task: task(1).id,
        status: TaskStatus::Stopped,
        stopped: None,
        containers: Vec::new(),
    }));
    assert_refused!(&mut state, foreign, Refusal::Invalid(InvalidChange::OtherInstance { .. }));
}

#[test]
fn a_task_that_ends_before_it_was_healthy_counts_as_failed_and_a_healthy_one_resets_it() {
    let mut state = world();
    let failed = |state: &State| state.deployment(deployment(1, 1).id).unwrap().failed_tasks;
    running(&mut state, 1);
    apply(&mut state, report(1, TaskStatus::Stopped));
    assert_eq!(failed(&state), 1);
    running(&mut state, 2);
    let stopped = Stopped::new(StopCause::NeverHealthy, "503");
    apply(&mut state, TaskChange::Fail { task: task(2).id, stopped });
    assert_eq!(failed(&state), 2);
    apply(&mut state, report(2, TaskStatus::Stopped));
    assert_eq!(failed(&state), 2, "a failure counts once");
    running(&mut state, 3);
    apply(&mut state, TaskChange::Healthy(task(3).id));
    assert_eq!(failed(&state), 0);
    apply(&mut state, report(3, TaskStatus::Stopped));
    assert_eq!(failed(&state), 0, "it was healthy once");
    assert_eq!(state.deployment(deployment(1, 1).id).unwrap().crashed_tasks, 1);
}

#[test]
fn a_host_port_that_somebody_took_is_nobodys_failure() {
    let mut state = world();
    apply(&mut state, TaskChange::Create(task(1)));
    let taken = Change::from(TaskChange::Report(TaskReport {
        instance: instance().id,
        task: task(1).id,
        status: TaskStatus::Stopped,
        stopped: Some(Stopped::new(StopCause::PortTaken, "port is already allocated")),
        containers: Vec::new(),
    }));
    apply(&mut state, taken);
    assert_eq!(state.deployment(deployment(1, 1).id).unwrap().failed_tasks, 0);
}

#[test]
fn a_superseded_deployment_cannot_complete() {
    let mut state = world();
    apply(&mut state, TaskChange::Create(task(1)));
    apply(&mut state, DeploymentChange::Start(deployment(2, 2)));
    assert_refused!(
        &mut state,
        DeploymentChange::Complete(deployment(1, 1).id),
        Refusal::WrongStatus { status: ActualStatus::Superseded, .. }
    );
    assert_refused!(
        &mut state,
        TaskChange::Create(task(2)),
        Refusal::WrongStatus { status: ActualStatus::NotPrimary, .. }
    );
    apply(&mut state, report(1, TaskStatus::Stopped));
    apply(&mut state, TaskChange::Forget(task(1).id));
    let known = state.deployment(deployment(1, 1).id).unwrap();
    assert_eq!(known.rollout_state, RolloutState::Stopped, "people still see how it ended");
}

#[test]
fn a_service_goes_only_after_its_last_task_and_rule_and_takes_its_target_group_along() {
    let mut state = world();
    running(&mut state, 1);
    let remove = || ServiceChange::Remove(service().id);
    assert_refused!(
        &mut state,
        remove(),
        Refusal::WrongStatus { status: ActualStatus::ActiveService, .. }
    );
    apply(&mut state, ServiceChange::Drain(service().id));
    assert_refused!(&mut state, remove(), Refusal::InUse { by: User::Task(_), .. });
    assert_refused!(
        &mut state,
        DeploymentChange::Start(deployment(2, 2)),
        Refusal::WrongStatus { status: ActualStatus::DrainingService, .. }
    );
    apply(&mut state, report(1, TaskStatus::Stopped));
    let touched = state.apply(&Change::from(TaskChange::Forget(task(1).id)), at(100)).unwrap();
    assert!(matches!(&touched.history[..], [History::Task { task: t, .. }] if t.id == task(1).id));
    assert_refused!(&mut state, remove(), Refusal::InUse { by: User::Rule(_), .. });
    apply(&mut state, RoutingChange::RemoveRule(rule(5).id));
    apply(&mut state, ServiceChange::Remove(service().id));
    assert_eq!(state.services().count(), 0);
    assert_eq!(state.target_groups().count() + state.deployments().count(), 0);
    assert_eq!(state.service_revisions().count(), 0);
    assert!(state.service_named(&service().cluster, &service().name).is_none());
}

#[test]
fn an_instance_goes_only_after_its_tasks_have_stopped_or_are_lost() {
    let mut state = world();
    running(&mut state, 1);
    apply(&mut state, TaskChange::Create(task(2)));
    assert_refused!(
        &mut state,
        InstanceChange::Remove(instance().id),
        Refusal::InUse { kind: "instance", name, by: User::Task(by) }
            if name == "host" && *by == task(1).id
    );
    for n in [1, 2] {
        let touched = state.apply(&Change::from(TaskChange::Lose(task(n).id)), at(50)).unwrap();
        assert_eq!(touched.rows.len(), 1, "however many tasks are lost, each is a small change");
    }
    let lost = state.task(task(1).id).unwrap();
    assert_eq!((lost.last_status(), lost.wanted()), (TaskStatus::Stopped, false));
    assert_eq!(lost.stopped().unwrap().code, StopCode::InfrastructureHealth);
    assert!(lost.unrouted_at().is_some(), "its address waits for the routers");
    assert!(!lost.reaped(), "an agent that comes back meanwhile still takes its containers away");
    let touched =
        state.apply(&Change::from(InstanceChange::Remove(instance().id)), at(50)).unwrap();
    assert_eq!(touched.rows.len(), 1);
    apply(&mut state, TaskChange::Forget(task(1).id));
}

#[test]
fn two_rules_cannot_claim_the_same_requests() {
    let mut state = world();
    assert_refused!(
        &mut state,
        RoutingChange::CreateRule(rule(6)),
        Refusal::RuleConflict { overlap: RuleOverlap::HostAndPath { host, path }, .. }
            if host == "hello.localhost" && path == "*"
    );
    let deeper =
        Rule { conditions: Conditions::host_and_path("hello.localhost", "/api"), ..rule(6) };
    apply(&mut state, RoutingChange::CreateRule(deeper));
    let numbered = Rule { priority: Some(10), ..rule(7) };
    apply(&mut state, RoutingChange::CreateRule(numbered.clone()));
    let again = Rule { id: rule(10).id, ..numbered };
    assert_refused!(
        &mut state,
        RoutingChange::CreateRule(again),
        Refusal::RuleConflict { overlap: RuleOverlap::Priority(10), .. }
    );
    let zero = Rule { priority: Some(0), ..rule(11) };
    let refusal = refused(&mut state, RoutingChange::CreateRule(zero));
    assert_eq!(refusal, InvalidRouting::Priority(0).into());
    for (content_type, body) in [("text/html\r\nX-Own: 1", ""), ("text/\0", ""), ("", "a\0b")] {
        let (content_type, body) = (content_type.to_owned(), body.to_owned());
        let action = Action::FixedResponse { status: 503, content_type, body };
        let split = Rule { action, ..rule(11) };
        let refusal = refused(&mut state, RoutingChange::CreateRule(split));
        assert_eq!(refusal, InvalidRouting::FixedResponseText.into());
    }
    let mut many = rule(11);
    many.conditions.path_pattern = (0..20).map(|n| format!("/{n}")).collect();
    let refusal = refused(&mut state, RoutingChange::CreateRule(many));
    assert_eq!(refusal, InvalidRouting::Patterns { count: 21, most: 20 }.into());
}

#[test]
fn revisions_come_one_after_the_other() {
    let mut state = world();
    let refusal = refused(&mut state, TaskDefinitionChange::Register(definition(3)));
    let (given, next) = (definition(3).key(), definition(2).key());
    assert_eq!(refusal, Refusal::NotNext { given, next });
    apply(&mut state, TaskDefinitionChange::Register(definition(2)));
    let family = definition(1).family;
    assert_eq!(state.latest_task_definition(&family).unwrap().revision, 2);
}

#[test]
fn counts_and_percentages_that_make_no_sense_are_refused() {
    let mut state = world();
    let update = |desired_count, percents: Option<(u32, u32)>| {
        let configuration = percents.map(|(minimum, maximum)| DeploymentConfiguration {
            minimum_healthy_percent: minimum,
            maximum_percent: maximum,
            ..DeploymentConfiguration::default()
        });
        ServiceChange::Update(ServiceUpdate {
            service: Some(service().id),
            desired_count,
            deployment_configuration: configuration,
            ..ServiceUpdate::default()
        })
    };
    for (update, expected) in [
        (update(Some(6_000), None), InvalidChange::DesiredCount { desired: 6_000, most: 5_000 }),
        (update(None, Some((100, 100))), InvalidChange::NoLegalStep),
        (update(None, Some((101, 200))), InvalidChange::Percentages { minimum: 101, maximum: 200 }),
    ] {
        assert_eq!(refused(&mut state, update), expected.into());
    }
    apply(&mut state, update(Some(0), Some((0, 100))));
}

#[test]
fn a_join_token_ends_by_use_and_by_time() {
    let mut state = world();
    let token = join_token(1);
    let old =
        JoinToken { id: JoinTokenId::new(at(1), seed(2)), expires_at: at(50), ..token.clone() };
    apply(&mut state, AccessChange::CreateJoinToken(token.clone()));
    apply(&mut state, AccessChange::CreateJoinToken(old.clone()));
    apply(&mut state, AccessChange::UseJoinToken(token.id));
    for (id, end) in [(token.id, JoinTokenEnd::UsedUp), (old.id, JoinTokenEnd::Expired)] {
        let refusal = refused(&mut state, AccessChange::UseJoinToken(id));
        assert_eq!(refusal, Refusal::JoinTokenOver(end));
    }
}

#[test]
fn join_tokens_that_have_expired_go_when_new_ones_come() {
    let mut state = world();
    let token = |n: u8, expires_at| JoinToken { expires_at, ..join_token(n) };
    for n in 0..20 {
        let change = Change::from(AccessChange::CreateJoinToken(token(
            n,
            at(if n == 7 { 1_000 } else { 50 }),
        )));
        state.apply(&change, at(1)).unwrap();
    }
    let touched = state
        .apply(&Change::from(AccessChange::CreateJoinToken(token(20, at(1_000)))), at(50))
        .unwrap();
    assert_eq!((touched.rows.len(), state.join_tokens().count()), (17, 5));
    state
        .apply(&Change::from(AccessChange::CreateJoinToken(token(21, at(1_000)))), at(50))
        .unwrap();
    assert!([7, 20, 21].iter().all(|n| state.join_token(token(*n, at(1)).id).is_some()));
    assert_eq!(state.join_tokens().count(), 3);
}

#[test]
fn an_instance_keeps_its_subnet_while_tasks_have_addresses_of_it() {
    let mut state = world();
    apply(&mut state, TaskChange::Create(task(1)));
    let subnet = "10.91.0.0/24".parse().unwrap();
    let assign = Change::from(InstanceChange::AssignSubnet { instance: instance().id, subnet });
    assert!(matches!(
        state.clone().apply(&assign, at(1)),
        Err(Refusal::InUse { kind: "subnet of instance", .. })
    ));
    let stopped = Stopped::new(StopCause::UserRequest, "by hand");
    apply(&mut state, TaskChange::Stop { task: task(1).id, stopped });
    apply(&mut state, report(1, TaskStatus::Stopped));
    apply(&mut state, TaskChange::Forget(task(1).id));
    apply(&mut state, assign);
    assert_eq!(state.instance(instance().id).unwrap().subnet, Some(subnet));
}

#[test]
fn a_failed_batch_changes_nothing() {
    let mut state = world();
    let batch = [TaskChange::Create(task(1)).into(), TaskChange::Create(task(1)).into()];
    assert!(state.apply_all(&batch, at(1)).is_err());
    assert_eq!(state.tasks().count(), 0);
}

#[test]
fn what_happened_to_a_service_is_recorded_as_a_value_beside_its_sentence() {
    let mut state = world();
    let last = Some(Stopped::new(StopCause::OutOfMemory, "it ran out of memory"));
    let failure = DeploymentFailure::TasksFailed { count: 3, last, unproven_settings: None };
    let id = deployment(1, 1).id;
    let fail = Change::from(DeploymentChange::Fail { deployment: id, failure: failure.clone() });
    let touched = state.apply(&fail, at(1)).unwrap();
    let known = state.deployment(id).unwrap();
    assert_eq!(known.failure, Some(failure.clone()));
    assert_eq!(known.rollout_state_reason, failure.to_string());
    let Some(History::Event(event)) = touched.history.first() else {
        panic!("{:?}", touched.history);
    };
    let kind = EventKind::DeploymentFailed { deployment: id, failure };
    assert_eq!(event.text(), kind.to_string());
    assert_eq!(event.event, Some(kind));
}

#[test]
fn a_phase_has_what_its_task_has_there_and_nothing_else() {
    let mut state = world();
    let phase = |state: &State| format!("{:?}", state.task(task(1).id).unwrap().phase());
    let shows = |state: &State, expected: &[&str]| {
        let shown = phase(state);
        for one in ["placement", "started_at", "stop", "stopped_at", "unrouted_at", "reaped"] {
            let field = format!("{one}: ");
            assert_eq!(shown.contains(&field), expected.contains(&one), "{one} in {shown}");
        }
    };
    apply(&mut state, TaskChange::Create(unplaced(1)));
    shows(&state, &[]);
    apply(&mut state, TaskChange::Place { task: task(1).id, placement: placement(1) });
    shows(&state, &["placement"]);
    apply(&mut state, report(1, TaskStatus::Running));
    shows(&state, &["placement", "started_at"]);
    let stopped = Stopped::new(StopCause::UserRequest, "enough");
    apply(&mut state, TaskChange::Stop { task: task(1).id, stopped });
    shows(&state, &["placement", "started_at", "stop"]);
    apply(&mut state, TaskChange::Drained(task(1).id));
    shows(&state, &["placement", "started_at", "stop", "unrouted_at"]);
    apply(&mut state, report(1, TaskStatus::Stopped));
    let all = ["placement", "started_at", "stop", "stopped_at", "unrouted_at", "reaped"];
    shows(&state, &all);
}

#[test]
fn an_instance_is_allowed_one_address_that_a_host_can_have() {
    let mut state = world();
    let instance = instance().id;
    let allow = |address: &str| {
        let address = address.parse().unwrap();
        InstanceChange::AllowAddress { instance, address }
    };
    for nowhere in ["0.0.0.0", "::", "224.0.0.1", "ff02::1"] {
        assert_refused!(
            &mut state,
            allow(nowhere),
            Refusal::Invalid(InvalidChange::HostAddress(_))
        );
    }
    for address in ["192.0.2.7", "192.0.2.8"] {
        apply(&mut state, allow(address));
        let known = state.instance(instance).unwrap();
        assert_eq!(known.allowed_address, Some(address.parse().unwrap()));
        assert!(known.advertised_address.is_loopback(), "its agent has not advertised it");
    }
}

#[test]
fn an_instance_tells_when_its_disk_gets_full_and_when_it_has_clearly_more_room() {
    let mut state = world();
    let instance = instance().id;
    let mut told = Vec::new();
    for free_mib in [5_000, 511, 400, 600, 767, 768, 600, 511] {
        let disk = DiskSeen { total_mib: 10_000, free_mib };
        let touched = state.apply(&InstanceChange::ReportDisk { instance, disk }.into(), at(9));
        for row in touched.unwrap().history {
            let History::InstanceEvent(event) = row else { panic!("{row:?}") };
            told.push(event.event);
        }
    }
    assert_eq!(
        told,
        [
            InstanceEventKind::DiskNearlyFull { free_mib: 511 },
            InstanceEventKind::DiskHasRoom { free_mib: 768 },
            InstanceEventKind::DiskNearlyFull { free_mib: 511 },
        ]
    );
}
