//! What the server is told in each situation.

use std::time::Duration;

use model::{StopCode, Timestamp};

use super::*;
use crate::known::{Seen, SeenState};
use crate::tests::{name, task, task_of};

fn known(task: &AssignedTask, container: &str, state: SeenState) -> Known {
    let mut known = Known::new(task, &Life::Absent);
    let seen = Seen { id: "c1".to_owned(), state, stop_signal: None };
    known.saw(&name(container), Some(seen));
    known
}

fn exited(code: i64) -> SeenState {
    SeenState::Exited(Exit {
        code,
        out_of_memory: false,
        at: Timestamp::from_millis(5),
        ran: Duration::from_secs(1),
        tail: Some(vec!["bye".to_owned()]),
    })
}

#[test]
fn a_running_task_is_told_with_dockers_ids() {
    let task = task();
    let known = known(&task, "main", SeenState::Running);
    let told = seen(&task, &known, false, Some("no network")).unwrap();
    assert_eq!((told.status, told.stopped, told.reaped), (TaskStatus::Running, None, false));
    assert_eq!(told.containers[0].runtime_id.as_deref(), Some("c1"));
    assert_eq!(told.containers[0].reason, None, "it waits for nothing");
}

#[test]
fn a_task_that_ended_by_itself_is_told_with_why_and_its_last_lines() {
    let task = task();
    let told = seen(&task, &known(&task, "main", exited(3)), false, None).unwrap();
    assert_eq!(told.status, TaskStatus::Stopped);
    let stopped = told.stopped.unwrap();
    assert_eq!(stopped.code, StopCode::EssentialContainerExited);
    assert_eq!(stopped.reason, "essential container `main` exited with code 3");
    let container = &told.containers[0];
    assert_eq!(
        (container.exit_code, container.log_tail.as_slice()),
        (Some(3), &["bye".to_owned()][..])
    );
    assert_eq!(container.reason.as_deref(), Some("container `main` exited with code 3"));
}

#[test]
fn a_task_that_was_told_to_stop_does_not_say_why() {
    let mut task = task();
    task.wanted = Wanted::Stop;
    let told = seen(&task, &known(&task, "main", exited(0)), false, None).unwrap();
    assert_eq!((told.status, told.stopped), (TaskStatus::Stopped, None));
    assert_eq!(told.containers[0].reason, None, "it ended well");
}

#[test]
fn a_task_is_reaped_when_no_container_is_left() {
    let mut task = task_of(&[("main", true), ("side", true)]);
    task.wanted = Wanted::Reap;
    assert!(!seen(&task, &known(&task, "main", exited(0)), false, None).unwrap().reaped);
    assert!(seen(&task, &Known::new(&task, &Life::Absent), false, None).unwrap().reaped);
    let unseen = Known::new(&task, &Life::Unseen);
    assert!(!seen(&task, &unseen, false, None).unwrap().reaped, "nobody knows");
}

#[test]
fn a_task_whose_container_is_about_to_come_to_life_has_not_ended() {
    let mut task = task();
    let known = Known::new(&task, &Life::Absent);
    task.wanted = Wanted::Stop;
    assert_eq!(seen(&task, &known, true, None).unwrap().status, TaskStatus::Stopping);
    task.wanted = Wanted::Reap;
    assert!(!seen(&task, &known, true, None).unwrap().reaped);
}

#[test]
fn a_task_that_nobody_has_looked_at_is_left_out() {
    let task = task();
    assert_eq!(seen(&task, &Known::new(&task, &Life::Unseen), false, None), None);
}

#[test]
fn a_task_that_cannot_begin_says_what_it_waits_for() {
    let task = task();
    let told = seen(&task, &Known::new(&task, &Life::Absent), false, Some("no subnet")).unwrap();
    assert_eq!(told.status, TaskStatus::Activating);
    assert_eq!(told.containers[0].reason.as_deref(), Some("no subnet"));
}

#[test]
fn twenty_lines_of_a_kibibyte_are_kept() {
    let lines = (0..25).map(|n| format!("{n} {}", "\u{20ac}".repeat(1_000)));
    let kept = tail(lines);
    assert_eq!(kept.len(), TAIL_LINES);
    assert!(kept[0].starts_with("5 ") && kept.iter().all(|line| line.len() <= LINE_BYTES));
}
