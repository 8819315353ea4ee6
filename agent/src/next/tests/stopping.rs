//! How a container is brought to its end.

use super::*;

#[test]
fn stopping_is_a_signal_then_patience_then_a_kill() {
    let mut scenario = Scenario::running(task());
    scenario.task.wanted = Wanted::Stop;
    assert_eq!(scenario.status(), Some(TaskStatus::Stopping));
    assert_eq!(scenario.go(), "stop container `main`");
    assert_eq!(scenario.op(), "nothing");
    assert_eq!(wake(&scenario.task, &scenario.state, scenario.now), Some(at(10 + 30)));
    scenario.now = at(39);
    scenario.see("main", ObservedState::Running);
    assert_eq!(scenario.op(), "nothing", "a look does not begin it anew");
    scenario.now = at(40);
    assert_eq!(scenario.go(), "kill container `main`");
    assert_eq!(scenario.op(), "nothing");
    scenario.now = at(50);
    assert_eq!(scenario.op(), "kill container `main`", "one that cannot be killed is killed again");
    scenario.exit("main", 137, 40);
    assert_eq!(scenario.all(), ["read the log of container `main`"]);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped));
}

#[test]
fn a_signal_that_docker_does_not_send_is_tried_until_the_kill_is_due() {
    let mut scenario = Scenario::running(task());
    scenario.task.wanted = Wanted::Stop;
    let refused = |scenario: &mut Scenario| {
        let op = next(&scenario.task, &scenario.state, scenario.now).expect("it is stopped");
        assert!(matches!(op, Op::Terminate { .. }), "{op}");
        let error = OpError::Stale("Docker says no".to_owned());
        scenario.state.op_ended(&op, Err(error), scenario.now);
        scenario.see("main", ObservedState::Running);
    };
    refused(&mut scenario);
    assert_eq!(scenario.op(), "nothing", "not at once again");
    scenario.now = at(20);
    refused(&mut scenario);
    scenario.now = at(40);
    assert_eq!(scenario.go(), "kill container `main`", "thirty seconds after the first attempt");
    scenario.exit("main", 137, 41);
    assert_eq!(scenario.all(), ["read the log of container `main`"]);
}

#[test]
fn the_signal_is_the_one_that_the_image_names() {
    let mut scenario = Scenario::running(task());
    scenario.task.wanted = Wanted::Stop;
    scenario.state.containers.get_mut(&name("main")).unwrap().stop_signal =
        Some("SIGQUIT".to_owned());
    let Some(Op::Terminate { signal, .. }) = next(&scenario.task, &scenario.state, scenario.now)
    else {
        panic!("it is asked to stop");
    };
    assert_eq!(signal, "SIGQUIT");
}
