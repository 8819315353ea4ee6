//! What `next` says in each situation, one after the other. Whether it always comes to an end is told by the world of
//! `random`, in which anything goes wrong.

use model::{AssignedTask, Platform, StopCause, TaskStatus, Timestamp, Wanted};

use super::*;
use crate::error::OpError;
use crate::exit::Exit;
use crate::op::{Done, Found, WrongPlatform};
use crate::task_state::{Observed, ObservedState};
use crate::tests::{name, restarts, task, task_of};

mod random;
mod stopping;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_795_421_734_000).plus(Duration::from_secs(seconds))
}

/// Draws the longest delays, so that they can be named.
const LONGEST: u64 = u64::MAX;

/// A task on its scenario.
struct Scenario {
    task: AssignedTask,
    state: TaskState,
    now: Timestamp,
}

impl Scenario {
    fn new(task: AssignedTask) -> Self {
        Self {
            state: TaskState::new(&task, &ContainerState::NotCreated, LONGEST),
            task,
            now: at(0),
        }
    }

    /// The same for all containers running since the beginning.
    fn running(task: AssignedTask) -> Self {
        let mut scenario = Self::new(task);
        let names: Vec<_> = scenario.task.containers.iter().map(|one| one.name.clone()).collect();
        for name in names {
            scenario.see(name.as_str(), ObservedState::Running);
        }
        scenario.now = at(10);
        scenario
    }

    fn see(&mut self, container: &str, state: ObservedState) {
        let seen = Observed { id: format!("id-{container}").into(), state, stop_signal: None };
        self.state.observed(&name(container), Some(seen));
    }

    /// The container exits with this code after it has run for so long.
    fn exit(&mut self, container: &str, code: i64, ran: u64) {
        self.see(
            container,
            ObservedState::Exited(Exit {
                by_docker: false,
                code,
                out_of_memory: false,
                at: self.now,
                ran: Duration::from_secs(ran),
                log_tail: None,
            }),
        );
    }

    fn op(&self) -> String {
        match next(&self.task, &self.state, self.now) {
            Some(op) => op.to_string(),
            None => "nothing".to_owned(),
        }
    }

    /// Does what is next; says what it was.
    fn go(&mut self) -> String {
        let Some(op) = next(&self.task, &self.state, self.now) else {
            return "nothing".to_owned();
        };
        let container = op.container().to_string();
        let done = match &op {
            Op::Find { .. } => {
                Done::Found(Some(Found { id: "image".into(), stop_signal: None, unfit: None }))
            }
            Op::Pull { .. } => Done::Pulled,
            Op::Create { .. } => Done::Created(format!("id-{container}").into()),
            Op::Start { .. } | Op::Restart { .. } => Done::Started,
            Op::Terminate { .. } | Op::Kill { .. } => Done::Signalled,
            Op::Tail { .. } => Done::Read(vec!["bye".to_owned()]),
            Op::Remove { .. } => Done::Removed,
        };
        self.state.op_ended(&op, Ok(done), self.now);
        op.to_string()
    }

    fn fail(&mut self, error: OpError) -> String {
        let op = next(&self.task, &self.state, self.now).expect("there is something to do");
        self.state.op_ended(&op, Err(error), self.now);
        op.to_string()
    }

    /// Does what is next until it is this.
    fn go_until(&mut self, op: &str) {
        for _ in 0..50 {
            if self.op() == op {
                return;
            }
            assert_ne!(self.go(), "nothing", "before `{op}`");
        }
        panic!("it never comes to `{op}`");
    }

    fn all(&mut self) -> Vec<String> {
        std::iter::from_fn(|| Some(self.go()).filter(|said| said != "nothing")).take(50).collect()
    }

    fn status(&self) -> Option<TaskStatus> {
        status(&self.task, &self.state)
    }

    fn reason(&self) -> (StopCause, String) {
        let stopped = ending(&self.task, &self.state).expect("it ends");
        (stopped.cause.expect("every end has a cause"), stopped.reason)
    }
}

#[test]
fn a_new_task_is_found_created_and_started() {
    let mut scenario = Scenario::new(task());
    assert_eq!(scenario.status(), Some(TaskStatus::Activating));
    assert_eq!(
        scenario.all(),
        ["find the image of container `main`", "create container `main`", "start container `main`"]
    );
    assert_eq!(scenario.status(), Some(TaskStatus::Running));
}

#[test]
fn an_image_that_is_not_there_is_pulled_and_looked_at_again() {
    let mut scenario = Scenario::new(task());
    let find = next(&scenario.task, &scenario.state, scenario.now).unwrap();
    scenario.state.op_ended(&find, Ok(Done::Found(None)), scenario.now);
    assert_eq!(scenario.go(), "pull the image of container `main`");
    assert_eq!(scenario.go(), "find the image of container `main`");
    assert_eq!(scenario.go(), "create container `main`");
}

#[test]
fn an_image_for_another_platform_is_pulled_once_and_then_refused() {
    let mut scenario = Scenario::new(task());
    let unfit = || {
        let unfit = Some(Box::new(WrongPlatform {
            image: task().containers[0].image.clone(),
            built_for: Platform::new("linux", "arm64"),
            host: Platform::new("linux", "amd64"),
        }));
        Ok(Done::Found(Some(Found { id: "x".into(), stop_signal: None, unfit })))
    };
    let find = next(&scenario.task, &scenario.state, scenario.now).unwrap();
    scenario.state.op_ended(&find, unfit(), scenario.now);
    assert_eq!(scenario.go(), "pull the image of container `main`");
    scenario.state.op_ended(&find, unfit(), scenario.now);
    assert_eq!(scenario.op(), "nothing");
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped));
    let (cause, reason) = scenario.reason();
    assert_eq!(cause, StopCause::ImagePlatform);
    assert!(reason.contains("is built for linux/arm64"), "{reason}");
}

#[test]
fn containers_start_in_order_after_all_images_are_there_and_share_one_network() {
    let mut scenario = Scenario::new(task_of(&[("init", false), ("main", true), ("side", true)]));
    assert_eq!(
        scenario.all(),
        [
            "find the image of container `main`",
            "find the image of container `init`",
            "find the image of container `side`",
            "create container `main`",
            "start container `main`",
            "create container `init`",
            "start container `init`",
            "create container `side`",
            "start container `side`",
        ],
        "the first essential one has the network, so it is the first"
    );
    let mut scenario = Scenario::new(task_of(&[("main", true), ("side", true)]));
    scenario.go_until("create container `side`");
    assert_eq!(scenario.status(), Some(TaskStatus::Activating), "not all of it runs");
    let Some(Op::Create { network, .. }) = next(&scenario.task, &scenario.state, scenario.now)
    else {
        panic!("it is created");
    };
    assert_eq!(network, Network::Of("id-main".into()));
}

#[test]
fn a_task_ends_with_its_first_essential_container_and_the_others_are_stopped() {
    let mut scenario =
        Scenario::running(task_of(&[("main", true), ("side", true), ("extra", false)]));
    scenario.exit("side", 3, 10);
    let reason = "essential container `side` exited with code 3";
    assert_eq!(scenario.reason(), (StopCause::ContainerExited, reason.to_owned()));
    assert_eq!(scenario.status(), Some(TaskStatus::Stopping));
    assert_eq!(
        scenario.all(),
        ["stop container `main`", "stop container `extra`", "read the log of container `side`"]
    );
    scenario.now = at(12);
    scenario.exit("main", 143, 12);
    scenario.exit("extra", 0, 12);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopping), "the logs are read first");
    assert_eq!(scenario.all().len(), 2);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped));
    assert_eq!(scenario.reason().1, reason, "who came first is to blame");
}

#[test]
fn a_task_goes_on_without_a_container_that_is_not_essential() {
    let mut scenario = Scenario::running(task_of(&[("main", true), ("side", false)]));
    scenario.exit("side", 1, 5);
    assert_eq!(scenario.all(), ["read the log of container `side`"]);
    assert_eq!(scenario.status(), Some(TaskStatus::Running));
    assert_eq!(ending(&scenario.task, &scenario.state), None);
}

#[test]
fn a_task_that_is_stopped_before_it_runs_starts_nothing_more() {
    let mut scenario = Scenario::new(task());
    scenario.task.wanted = Wanted::Stop;
    assert_eq!((scenario.op().as_str(), scenario.status()), ("nothing", Some(TaskStatus::Stopped)));
    let mut scenario = Scenario::new(task());
    scenario.see("main", ObservedState::Created);
    scenario.task.wanted = Wanted::Stop;
    assert_eq!((scenario.op().as_str(), scenario.status()), ("nothing", Some(TaskStatus::Stopped)));
}

#[test]
fn containers_go_only_when_their_end_is_committed_and_the_network_goes_last() {
    let mut scenario = Scenario::running(task_of(&[("main", true), ("side", false)]));
    scenario.exit("main", 0, 5);
    scenario.exit("side", 0, 5);
    assert_eq!(scenario.all().len(), 2, "the logs");
    assert_eq!(scenario.op(), "nothing");
    scenario.task.wanted = Wanted::Reap;
    assert_eq!(scenario.all(), ["remove container `side`", "remove container `main`"]);
    assert!(scenario.state.is_empty());
}

#[test]
fn what_runs_again_although_its_end_is_committed_is_stopped_first() {
    let mut scenario = Scenario::running(task());
    scenario.task.wanted = Wanted::Reap;
    assert_eq!(scenario.all(), ["stop container `main`"]);
    scenario.exit("main", 0, 5);
    assert_eq!(scenario.all(), ["remove container `main`"]);
}

#[test]
fn a_container_that_ran_for_its_period_is_restarted_in_place() {
    let mut task = task();
    task.containers[0].restart_policy = Some(restarts());
    let mut scenario = Scenario::running(task);
    scenario.exit("main", 1, 60);
    assert_eq!(scenario.status(), Some(TaskStatus::Running), "it is about to run again");
    assert_eq!(scenario.all(), ["start container `main`"]);
    assert_eq!(scenario.state.container(&name("main")).restarts, 1);

    scenario.exit("main", 1, 59);
    assert_eq!(scenario.op(), "read the log of container `main`");
    assert_eq!(scenario.reason().1, "essential container `main` exited with code 1");
    scenario.exit("main", 7, 600);
    assert_eq!(
        scenario.reason().1,
        "essential container `main` exited with code 7",
        "a code to end by"
    );
}

#[test]
fn a_restarted_network_takes_those_that_had_joined_it_along() {
    let mut task = task_of(&[("main", true), ("side", true)]);
    task.containers[0].restart_policy = Some(restarts());
    let mut scenario = Scenario::running(task);
    scenario.exit("main", 1, 100);
    assert_eq!(scenario.all(), ["start container `main`", "restart container `side`"]);
    assert_eq!(scenario.state.container(&name("side")).restarts, 0, "its own policy did nothing");
}

#[test]
fn a_network_whose_restart_went_unheard_takes_them_along_too() {
    let mut task = task_of(&[("main", true), ("side", true)]);
    task.containers[0].restart_policy = Some(restarts());
    let mut scenario = Scenario::running(task);
    scenario.exit("main", 1, 100);
    scenario.fail(OpError::Stale("Docker has not answered".to_owned()));
    scenario.see("main", ObservedState::Running);
    assert_eq!(scenario.all(), ["restart container `side`"]);
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_up_and_restarts_nothing() {
    let mut scenario = Scenario::running(task_of(&[("main", true), ("side", true)]));
    scenario.now = at(0);
    assert_eq!(scenario.op(), "nothing");
    let mut scenario = Scenario::new(task());
    scenario.now = at(3_600);
    scenario.fail(OpError::Retry("Docker is away".to_owned()));
    assert_eq!(scenario.op(), "nothing");
    scenario.now = at(0);
    assert_eq!(scenario.op(), "find the image of container `main`");
}

#[test]
fn a_task_that_had_started_and_has_no_containers_has_ended() {
    let mut scenario = Scenario::new(task());
    scenario.task.started = true;
    assert_eq!((scenario.op().as_str(), scenario.status()), ("nothing", Some(TaskStatus::Stopped)));
    let reason = "essential container `main` is gone: it was removed, but not by Berth";
    assert_eq!(scenario.reason(), (StopCause::ContainerRemoved, reason.to_owned()));

    let mut scenario = Scenario::running(task());
    scenario.state.observed(&name("main"), None);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped), "also before the server knows it ran");
}

#[test]
fn nothing_is_done_or_said_about_a_task_that_nobody_has_looked_at() {
    let mut scenario = Scenario::new(task_of(&[("main", true), ("side", true)]));
    scenario.state = TaskState::new(&scenario.task, &ContainerState::Unknown, LONGEST);
    scenario.see("main", ObservedState::Running);
    assert_eq!((scenario.op().as_str(), scenario.status()), ("nothing", None));
    scenario.task.wanted = Wanted::Stop;
    assert_eq!(scenario.op(), "stop container `main`", "what is seen can be stopped");
    assert_eq!(scenario.status(), Some(TaskStatus::Stopping));
}

#[test]
fn what_fails_for_good_ends_the_task_and_stops_what_runs() {
    let mut scenario = Scenario::new(task_of(&[("main", true), ("side", true)]));
    scenario.go_until("start container `side`");
    scenario.fail(OpError::Fatal(Stopped::new(StopCause::PortTaken, "the port is taken")));
    assert_eq!(scenario.reason(), (StopCause::PortTaken, "the port is taken".to_owned()));
    assert_eq!(scenario.all(), ["stop container `main`"]);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopping));
    scenario.exit("main", 0, 1);
    scenario.go();
    assert_eq!(
        scenario.status(),
        Some(TaskStatus::Stopped),
        "what never ran has no log to wait for"
    );
}

#[test]
fn what_may_work_later_is_tried_again_with_longer_pauses_and_without_an_end() {
    let mut scenario = Scenario::new(task());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        scenario.fail(OpError::Retry("Docker is away".to_owned()));
        assert_eq!(scenario.op(), "nothing");
        let until = wake(&scenario.task, &scenario.state, scenario.now).unwrap();
        pauses.push(until.since(scenario.now).as_millis());
        scenario.now = until;
    }
    assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
    assert_eq!(scenario.status(), Some(TaskStatus::Activating));
    assert_eq!(scenario.state.waiting_reason(&name("main")), Some("Docker is away"));
    scenario.go();
    assert_eq!(scenario.state.waiting_reason(&name("main")), None);
}

#[test]
fn what_may_work_the_next_time_is_tried_three_times() {
    let mut scenario = Scenario::new(task());
    for _ in 0..3 {
        assert_eq!(ending(&scenario.task, &scenario.state), None);
        scenario.fail(OpError::RetryLimited {
            reason: "it is damaged".to_owned(),
            cause: Some(StopCause::ImageDamaged),
        });
        scenario.now = scenario.now.plus(Duration::from_secs(15));
    }
    assert_eq!(scenario.reason(), (StopCause::ImageDamaged, "it is damaged".to_owned()));
}

#[test]
fn a_start_that_is_refused_for_an_unnamed_state_is_tried_three_times_with_a_look_between() {
    let mut scenario = Scenario::new(task());
    while scenario.op() != "start container `main`" {
        scenario.go();
    }
    let stopped = Stopped::new(StopCause::ContainerNotStarted, "it is in the way of itself");
    for _ in 0..3 {
        assert_eq!(ending(&scenario.task, &scenario.state), None);
        scenario.fail(OpError::StaleLimited(stopped.clone()));
        scenario.see("main", ObservedState::Created);
        scenario.now = scenario.now.plus(Duration::from_secs(15));
    }
    assert_eq!(scenario.reason(), (StopCause::ContainerNotStarted, stopped.reason));
}

#[test]
fn one_container_that_cannot_be_stopped_does_not_hold_up_the_others() {
    let mut scenario = Scenario::running(task_of(&[("main", true), ("side", true)]));
    scenario.task.wanted = Wanted::Stop;
    assert_eq!(scenario.fail(OpError::Retry("hung".to_owned())), "stop container `main`");
    assert_eq!(scenario.go(), "stop container `side`");
    assert_eq!(scenario.op(), "nothing");
}

#[test]
fn a_log_that_cannot_be_read_does_not_hold_up_the_end() {
    let mut scenario = Scenario::running(task());
    scenario.exit("main", 1, 5);
    for _ in 0..3 {
        assert_eq!(scenario.status(), Some(TaskStatus::Stopping));
        scenario.fail(OpError::RetryLimited { reason: "no log".to_owned(), cause: None });
        scenario.now = scenario.now.plus(Duration::from_secs(15));
    }
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped));
}

#[test]
fn an_image_that_vanished_before_the_container_was_created_is_got_again() {
    let mut scenario = Scenario::new(task());
    scenario.go();
    assert_eq!(scenario.fail(OpError::ImageMissing), "create container `main`");
    assert_eq!(scenario.op(), "find the image of container `main`");
}

#[test]
fn a_command_that_cannot_be_run_is_named_as_soon_as_the_end_is() {
    let mut scenario = Scenario::running(task());
    scenario.exit("main", 127, 0);
    assert_eq!(
        scenario.status(),
        Some(TaskStatus::Running),
        "the reason is in the log, read first"
    );
    let tail = next(&scenario.task, &scenario.state, scenario.now).unwrap();
    let line = "[FATAL tini (7)] exec /nothing failed: No such file or directory".to_owned();
    scenario.state.op_ended(&tail, Ok(Done::Read(vec![line])), scenario.now);
    assert_eq!(scenario.status(), Some(TaskStatus::Stopped));
    assert!(scenario.reason().1.contains("exec /nothing failed"), "{}", scenario.reason().1);
}

#[test]
fn a_container_that_was_to_be_restarted_and_is_gone_is_not_tried_for_ever() {
    let mut task = task();
    task.containers[0].restart_policy = Some(restarts());
    let mut scenario = Scenario::running(task);
    scenario.exit("main", 1, 100);
    scenario.fail(OpError::ContainerMissing);
    assert_eq!((scenario.op().as_str(), scenario.status()), ("nothing", Some(TaskStatus::Stopped)));
}
