//! What is reported to the server in each situation.

use std::time::Duration;

use model::{StopCause, Timestamp};

use super::*;
use crate::task_state::{Observed, ObservedState};
use crate::tests::{name, task, task_of};

fn state_of(task: &AssignedTask, container: &str, observed: ObservedState) -> TaskState {
    let mut state = TaskState::new(task, &ContainerState::NotCreated, 0);
    let seen = Observed { id: "c1".into(), state: observed, stop_signal: None };
    state.observed(&name(container), Some(seen));
    state
}

fn exited(code: i64) -> ObservedState {
    ObservedState::Exited(Exit {
        by_docker: false,
        code,
        out_of_memory: false,
        at: Timestamp::from_millis(5),
        ran: Duration::from_secs(1),
        log_tail: Some(vec!["bye".to_owned()]),
    })
}

#[test]
fn a_running_task_is_reported_with_dockers_ids() {
    let task = task();
    let state = state_of(&task, "main", ObservedState::Running);
    let reported = seen(&task, &state, false, Some("no network")).unwrap();
    assert_eq!(
        (reported.status, reported.stopped, reported.reaped),
        (TaskStatus::Running, None, false)
    );
    assert_eq!(reported.containers[0].runtime_id, Some("c1".into()));
    assert_eq!(reported.containers[0].reason, None, "it waits for nothing");
}

#[test]
fn a_task_that_ended_by_itself_is_signalled_with_why_and_its_last_lines() {
    let task = task();
    let reported = seen(&task, &state_of(&task, "main", exited(3)), false, None).unwrap();
    assert_eq!(reported.status, TaskStatus::Stopped);
    let stopped = reported.stopped.unwrap();
    assert_eq!(stopped.cause, Some(StopCause::ContainerExited));
    assert_eq!(stopped.reason, "essential container `main` exited with code 3");
    let container = &reported.containers[0];
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
    let reported = seen(&task, &state_of(&task, "main", exited(0)), false, None).unwrap();
    assert_eq!((reported.status, reported.stopped), (TaskStatus::Stopped, None));
    assert_eq!(reported.containers[0].reason, None, "it ended well");
}

#[test]
fn a_task_is_reaped_when_no_container_is_left() {
    let mut task = task_of(&[("main", true), ("side", true)]);
    task.wanted = Wanted::Reap;
    assert!(!seen(&task, &state_of(&task, "main", exited(0)), false, None).unwrap().reaped);
    assert!(
        seen(&task, &TaskState::new(&task, &ContainerState::NotCreated, 0), false, None)
            .unwrap()
            .reaped
    );
    let unseen = TaskState::new(&task, &ContainerState::Unknown, 0);
    assert!(!seen(&task, &unseen, false, None).unwrap().reaped, "nobody knows");
}

#[test]
fn a_task_whose_container_is_about_to_come_to_life_has_not_ended() {
    let mut task = task();
    let state = TaskState::new(&task, &ContainerState::NotCreated, 0);
    task.wanted = Wanted::Stop;
    assert_eq!(seen(&task, &state, true, None).unwrap().status, TaskStatus::Stopping);
    task.wanted = Wanted::Reap;
    assert!(!seen(&task, &state, true, None).unwrap().reaped);
}

#[test]
fn a_task_that_nobody_has_looked_at_is_left_out() {
    let task = task();
    assert_eq!(seen(&task, &TaskState::new(&task, &ContainerState::Unknown, 0), false, None), None);
}

#[test]
fn a_task_that_cannot_begin_says_what_it_waiting_reason() {
    let task = task();
    let reported = seen(
        &task,
        &TaskState::new(&task, &ContainerState::NotCreated, 0),
        false,
        Some("no subnet"),
    )
    .unwrap();
    assert_eq!(reported.status, TaskStatus::Activating);
    assert_eq!(reported.containers[0].reason.as_deref(), Some("no subnet"));
}

#[test]
fn twenty_lines_of_a_kibibyte_are_kept() {
    let lines = (0..25).map(|n| format!("{n} {}", "\u{20ac}".repeat(1_000)));
    let kept = tail(lines);
    assert_eq!(kept.len(), TAIL_LINES);
    assert!(kept[0].starts_with("5 ") && kept.iter().all(|line| line.len() <= LINE_BYTES));
}

#[test]
fn a_report_of_very_many_ends_fits_in_a_frame_and_keeps_the_newest_lines() {
    let task = task();
    let ended = seen(&task, &state_of(&task, "main", exited(3)), false, None).unwrap();
    let with = |line: &str| {
        let mut ended = ended.clone();
        ended.containers[0].log_tail = vec![line.to_owned(); TAIL_LINES];
        ended
    };
    for line in ["x".repeat(LINE_BYTES), "\u{1}\"\\".repeat(LINE_BYTES / 3)] {
        let mut tasks = vec![with(&line); 500];
        fit(&mut tasks);
        let text = serde_json::to_vec(&tasks).unwrap();
        assert!(text.len() < AGENT_FRAME_BYTES, "{}", text.len());
        assert!(tasks[0].containers[0].log_tail.is_empty());
        assert_eq!(tasks[499].containers[0].log_tail.len(), TAIL_LINES);
    }
    let mut few = vec![with("bye"); 3];
    fit(&mut few);
    assert_eq!(few, vec![with("bye"); 3]);
}
