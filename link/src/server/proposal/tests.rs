use model::limits::{FILL_BYTES, FILL_ROWS};
use model::{Change, DiskSeen, InstanceId, State, TaskId, TaskStatus, Timestamp};
use serde_json::json;

use super::*;
use crate::message::HostReport;

const NOW: Timestamp = Timestamp::from_millis(1_795_421_734_000);
const TIME: &str = "2026-11-23T00:00:00Z";

fn instance(n: u8) -> InstanceId {
    InstanceId::new(NOW, [n; 10])
}

fn task_id(n: u8) -> TaskId {
    TaskId::new(NOW, [n; 10])
}

fn host() -> HostReport {
    serde_json::from_value(json!({
        "capacity": { "CPU": 100_000, "MEMORY": 100_000 },
        "platform": { "os": "linux", "architecture": "amd64" },
        "identity": { "bootId": "b", "networkNamespace": "1" },
        "advertisedAddress": "127.0.0.1", "dockerVersion": "29", "usedSubnets": []
    }))
    .unwrap()
}

fn hello() -> Hello {
    Hello { name: "host".to_owned(), version: "1".to_owned(), host: Some(host()) }
}

/// Instance 1 with tasks 1 to 60, and instance 2 with task 99.
fn world() -> State {
    let change = |value| serde_json::from_value::<Change>(value).unwrap();
    let mut changes = vec![
        change(
            json!({ "cluster": { "create": { "id": "0".repeat(32), "name": "default", "createdAt": TIME } } }),
        ),
        change(json!({ "taskDefinition": { "register": {
            "family": "hello", "revision": 1, "registeredAt": TIME,
            "containerDefinitions": [{ "name": "web", "image": "hello", "cpu": 128, "memory": 64 }]
        } } })),
    ];
    for n in [1, 2] {
        changes.push(change(json!({ "instance": { "register": {
            "id": instance(n), "cluster": "default", "name": "host", "status": "ACTIVE",
            "capacity": host().capacity, "platform": host().platform, "host": host().identity,
            "advertisedAddress": "127.0.0.1", "subnet": format!("10.64.{n}.0/24"),
            "lastAddress": 0, "lastPort": 0, "agentVersion": "1", "dockerVersion": "29",
            "registeredAt": TIME
        } } })));
    }
    for (n, on) in (1..=60).map(|n| (n, 1)).chain([(99, 2)]) {
        changes.push(change(json!({ "task": { "create": {
            "id": task_id(n), "cluster": "default", "taskDefinition": "hello:1", "startedBy": "user/admin",
            "resources": { "CPU": 128, "MEMORY": 64 },
            "placement": { "instance": instance(on), "address": format!("10.64.{on}.{}", n + 1), "ports": [] },
            "images": [["web", image()]], "overrides": {}, "createdAt": TIME
        } } })));
    }
    let mut state = State::default();
    state.apply_all(&changes, NOW).unwrap();
    state
}

fn image() -> serde_json::Value {
    json!({ "repository": "hello", "digest": format!("sha256:{}", "0f".repeat(32)) })
}

fn seen(n: u8, status: TaskStatus, lines: usize) -> SeenTask {
    let container =
        json!({ "name": "web", "image": image(), "logTail": vec!["\u{20ac}".repeat(2000); lines] });
    SeenTask {
        task: task_id(n),
        status,
        stopped: None,
        containers: vec![serde_json::from_value(container).unwrap()],
        reaped: false,
        peak_memory_mib: None,
    }
}

fn say(state: &State, tasks: Vec<SeenTask>) -> Proposal {
    let report = AgentReport { tasks, ..AgentReport::default() };
    propose(state, PeerId::Instance(instance(1)), &hello(), Some(&report), NOW)
}

fn commit(state: &mut State, proposal: &Proposal) {
    for batch in &proposal.batches {
        state.apply_all(batch, NOW).unwrap();
    }
}

#[test]
fn what_was_recorded_is_not_proposed_again() {
    let mut state = world();
    let tasks = vec![seen(1, TaskStatus::Running, 0), seen(2, TaskStatus::Stopped, 30)];
    let first = say(&state, tasks.clone());
    assert_eq!(first.batches.concat().len(), 2);
    commit(&mut state, &first);
    let again = say(&state, tasks);
    assert!(again.batches.is_empty() && again.refused.is_empty(), "{again:?}");
}

#[test]
fn a_late_report_moves_nothing_back() {
    let mut state = world();
    let stopped = say(&state, vec![seen(1, TaskStatus::Stopped, 0)]);
    commit(&mut state, &stopped);
    for status in [TaskStatus::Activating, TaskStatus::Running, TaskStatus::Stopping] {
        assert!(say(&state, vec![seen(1, status, 0)]).batches.is_empty(), "{status:?}");
    }
}

#[test]
fn a_long_report_goes_in_batches_that_fit_and_long_lines_are_cut() {
    let mut state = world();
    let proposal = say(&state, (1..=60).map(|n| seen(n, TaskStatus::Stopped, 30)).collect());
    assert_eq!(proposal.batches.concat().len(), 60);
    assert!(proposal.batches.len() > 2, "{}", proposal.batches.len());
    for batch in &proposal.batches {
        let mut after = state.clone();
        let touched = after.apply_all(batch, NOW).unwrap();
        let weight = Weight::of(&after, &touched);
        assert!(weight.rows <= FILL_ROWS && weight.bytes <= FILL_BYTES);
    }
    commit(&mut state, &proposal);
    let tail = &state.task(task_id(7)).unwrap().containers()[0].log_tail;
    assert_eq!(tail.len(), TAIL_LINES);
    assert_eq!(tail[0], "\u{20ac}".repeat(LINE_BYTES / 3), "cut between two characters");
}

#[test]
fn control_characters_stay_out_of_what_is_kept() {
    let mut state = world();
    let mut task = seen(1, TaskStatus::Stopped, 0);
    task.containers[0].log_tail = vec!["\u{1b}[31m\tred\0".to_owned()];
    let proposal = say(&state, vec![task]);
    commit(&mut state, &proposal);
    let tail = &state.task(task_id(1)).unwrap().containers()[0].log_tail;
    assert_eq!(tail, &["\u{fffd}[31m\tred\u{fffd}"]);
}

#[test]
fn what_a_peer_may_not_say_is_refused_and_the_rest_is_taken() {
    let state = world();
    let tasks = vec![
        seen(99, TaskStatus::Stopped, 0),
        seen(1, TaskStatus::Deactivating, 0),
        seen(2, TaskStatus::Running, 0),
    ];
    let proposal = say(&state, tasks);
    assert_eq!(proposal.refused.len(), 2, "{:?}", proposal.refused);
    assert_eq!(proposal.batches.concat().len(), 1);
}

#[test]
fn containers_are_reaped_once_their_end_is_known() {
    let mut state = world();
    let gone = SeenTask { reaped: true, ..seen(1, TaskStatus::Stopped, 0) };
    let proposal = say(&state, vec![gone.clone()]);
    assert_eq!(proposal.batches.concat().len(), 2, "the end and the removal in one");
    commit(&mut state, &proposal);
    assert!(state.task(task_id(1)).unwrap().reaped());
    assert!(say(&state, vec![gone]).batches.is_empty());
}

#[test]
fn a_host_that_changes_is_recorded() {
    let mut state = world();
    let mut hello = hello();
    hello.host.as_mut().unwrap().docker_version = "30".to_owned();
    let peer = PeerId::Instance(instance(1));
    let proposal = propose(&state, peer, &hello, None, NOW);
    commit(&mut state, &proposal);
    assert_eq!(state.instance(instance(1)).unwrap().docker_version, "30");
    assert!(propose(&state, peer, &hello, None, NOW).batches.is_empty());
}

#[test]
fn a_disk_is_recorded_once_it_is_nearly_full_and_once_it_has_room_again() {
    let mut state = world();
    let peer = PeerId::Instance(instance(1));
    let mut proposed = Vec::new();
    for free_mib in [9_000, 100, 90, 9_000, 9_001] {
        let disk = Some(DiskSeen { total_mib: 10_000, free_mib });
        let report = AgentReport { disk, ..AgentReport::default() };
        let proposal = propose(&state, peer, &hello(), Some(&report), NOW);
        commit(&mut state, &proposal);
        proposed.push(proposal.batches.concat().len());
    }
    assert_eq!(proposed, [0, 1, 0, 1, 0]);
}
