//! Tasks without a service, their logs, and restart in place.

use std::io::{BufRead as _, BufReader};
use std::time::Duration;

use model::{StopCode, TaskStatus};

use crate::harness::{Berth, docker, now, until, until_within};

/// Runs a task of `job` and waits until it does; gives its id.
fn run_job(berth: &Berth) -> String {
    let id = berth.run_task("job");
    until("the task runs", || berth.task(&id).last_status == TaskStatus::Running);
    id
}

#[test]
fn a_task_runs_by_itself_and_keeps_its_log_and_exit_code_after_its_end() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "job", "1", "none");
    let image = format!("{}/job:latest", berth.registry());
    // As ECS describes it: numbers as text, and fields that only a description has.
    berth.register(&serde_json::json!({
        "family": "job", "cpu": "128", "memory": "64", "status": "ACTIVE", "revision": 7,
        "requiresCompatibilities": ["EC2"],
        "containerDefinitions": [{"name": "main", "image": image, "essential": true}],
    }));
    let id = run_job(&berth);

    let mut follow = berth.spawn(&[], &["task", "logs", "--follow", &id]);
    let mut lines = BufReader::new(follow.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(first.contains("sample application"), "{first}");

    berth.run(&["task", "stop", &id, "--reason", "enough of it"]).ok();
    until("the task has stopped", || berth.task(&id).last_status == TaskStatus::Stopped);
    assert!(follow.wait().expect("our own child ends").success(), "the log ends with the task");
    let task = berth.task(&id);
    assert_eq!(task.stop_code, Some(StopCode::UserInitiated));
    assert_eq!(task.stopped_reason.as_deref(), Some("enough of it"));
    assert_eq!(task.containers[0].exit_code, Some(0), "SIGTERM was enough");
    let kept = berth.run(&["task", "logs", &id]).ok();
    assert!(kept.contains("sample application"), "{kept}");
    berth.down();
}

/// A task that runs and whose container may be restarted in place.
fn restarting() -> (Berth, String) {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "job", "1", "none");
    let image = format!("{}/job:latest", berth.registry());
    berth.register(&serde_json::json!({
        "family": "job",
        "containerDefinitions": [{
            "name": "main", "image": image, "memory": 64,
            "restartPolicy": {"enabled": true, "restartAttemptPeriod": 60},
        }],
    }));
    let id = run_job(&berth);
    (berth, id)
}

#[test]
fn a_container_that_ran_too_shortly_for_its_restart_policy_ends_its_task() {
    let (berth, id) = restarting();
    // It has not run for its restartAttemptPeriod: by ECS's rule it is not restarted, and the task stops.
    let installation = berth.installation();
    docker::kill(&docker::containers(&installation, false)[0]);
    until("the task has stopped", || berth.task(&id).last_status == TaskStatus::Stopped);
    let task = berth.task(&id);
    assert_eq!(task.stop_code, Some(StopCode::EssentialContainerExited));
    berth.down();
}

#[test]
fn a_container_with_a_restart_policy_starts_again_in_place_while_the_server_is_away() {
    let (berth, id) = restarting();
    let installation = berth.installation();
    let container = docker::containers(&installation, false).remove(0);
    let begun = docker::inspect(&container, "{{.State.StartedAt}}");
    let seen = now();
    // The shortest period that ECS knows is a minute.
    until_within(Duration::from_secs(90), "it has run for its period", || {
        now() - seen >= Duration::from_secs(61)
    });

    let server = berth.pause("server");
    docker::kill(&container);
    until("the agent has started it again", || {
        docker::inspect(&container, "{{.State.Running}}") == "true"
            && docker::inspect(&container, "{{.State.StartedAt}}") != begun
    });
    drop(server);
    until("the restart is told", || {
        let task = berth.task(&id);
        task.last_status == TaskStatus::Running && task.containers[0].restarts == 1
    });
    berth.down();
}
