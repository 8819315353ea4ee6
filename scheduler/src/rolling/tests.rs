//! Whatever the tasks of a service are like, its bounds hold.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn health() -> impl Strategy<Value = TaskHealth> {
    prop_oneof![
        3 => Just(TaskHealth::Healthy),
        1 => Just(TaskHealth::Unhealthy("GET / timed out".to_owned())),
        1 => Just(TaskHealth::Failing("GET / timed out".to_owned())),
        2 => Just(TaskHealth::Starting),
        1 => Just(TaskHealth::Unknown),
    ]
}

fn members(is_own: bool) -> impl Strategy<Value = Vec<Member>> {
    let member = (health(), any::<bool>(), any::<bool>(), 0_i64..3);
    prop::collection::vec(member, 0..6).prop_map(move |members| {
        let member = |(n, (health, runs, is_replaceable, at)): (u8, _)| {
            let created_at = Timestamp::from_millis(at);
            // A task that does not run is on its way, whatever else.
            let health = if runs { health } else { TaskHealth::Starting };
            let id = TaskId::new(created_at, [n + if is_own { 0 } else { 100 }; 10]);
            Member { id, created_at, health, runs, is_replaceable, is_own }
        };
        (0_u8..).zip(members).map(member).collect()
    })
}

fn service_tasks() -> impl Strategy<Value = ServiceTasks> {
    (members(true), members(false), 0_usize..3, any::<bool>())
        .prop_map(|(fresh, stale, stopping, holds)| ServiceTasks { fresh, stale, stopping, holds })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (0_usize..5, 0_usize..5, 0_usize..5).prop_map(|(desired, below, above)| Bounds {
        desired,
        minimum: desired.saturating_sub(below),
        maximum: desired + above,
    })
}

fn count(tasks: &ServiceTasks, stops: &[Stop], is: impl Fn(&Member) -> bool) -> usize {
    let stopped: BTreeSet<_> = stops.iter().map(|stop| stop.task).collect();
    tasks.all().filter(|member| !stopped.contains(&member.id) && is(member)).count()
}

proptest! {
    #[test]
    fn no_stop_leaves_fewer_than_the_minimum(
        tasks in service_tasks(), bounds in bounds(), shortage in 0_usize..4,
    ) {
        let stops = tasks.stops(bounds, shortage);
        for is in [Member::is_healthy, Member::may_serve] {
            let (before, after) = (count(&tasks, &[], is), count(&tasks, &stops, is));
            prop_assert!(after >= before.min(bounds.minimum), "{after} of {before}: {stops:?}");
        }
    }

    #[test]
    fn a_task_is_stopped_once_and_an_old_one_only_where_new_ones_can_be_judged(
        tasks in service_tasks(), bounds in bounds(), shortage in 0_usize..4,
    ) {
        let stops = tasks.stops(bounds, shortage);
        let stopped: BTreeSet<_> = stops.iter().map(|stop| stop.task).collect();
        prop_assert_eq!(stopped.len(), stops.len());
        let stale = tasks.stale.iter().filter(|member| stopped.contains(&member.id)).count();
        prop_assert!(stale == 0 || !tasks.holds || bounds.desired == 0);
    }

    #[test]
    fn what_is_started_stays_within_the_maximum(tasks in service_tasks(), bounds in bounds()) {
        let before = count(&tasks, &[], |_| true);
        let started = tasks.missing(bounds).min(tasks.room(bounds));
        prop_assert!(before + started <= bounds.maximum.max(before));
    }

    #[test]
    fn a_complete_deployment_has_nothing_to_stop_and_nothing_missing(
        fresh in members(true), bounds in bounds(),
    ) {
        let tasks = ServiceTasks { fresh, ..ServiceTasks::default() };
        let is_settled = tasks.fresh.iter().all(Member::is_healthy)
            && tasks.fresh.len() == bounds.desired;
        if is_settled {
            prop_assert!(tasks.is_complete(bounds, &[]));
            prop_assert_eq!((tasks.missing(bounds), tasks.stops(bounds, 0)), (0, Vec::new()));
        }
    }
}
