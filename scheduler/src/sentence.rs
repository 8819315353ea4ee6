//! Every sentence that the scheduler says to people. Nothing decides on one.

use model::DeploymentId;
use model::sentence::say;

/// Why a task is stopped whose service is gone.
pub(crate) fn service_removed(name: &impl std::fmt::Display) -> String {
    say(format!("service `{name}` was removed"))
}

/// Why a task is stopped that is one too many.
pub(crate) fn scaled_in(desired: u32) -> String {
    say(format!("scaled in to {desired} tasks"))
}

/// Why a task is stopped whose instance is suspended.
pub(crate) fn suspended() -> String {
    say("stopped by `berth down`; `berth up` starts its service again")
}

/// Why a task is stopped that another deployment replaces.
pub(crate) fn replaced(by: DeploymentId) -> String {
    say(format!("replaced by deployment {by}"))
}

/// Why a task is stopped that never passed its checks.
pub(crate) fn never_healthy(check: &str) -> String {
    say(format!("failed its health checks: {check}"))
}

/// Why a task is stopped that passed its checks once.
pub(crate) fn turned_unhealthy(check: &str) -> String {
    say(format!("failed its health checks after it was healthy: {check}"))
}

/// What stands for the failed check where no router names one.
pub(crate) fn no_check_passed() -> String {
    say("no check of it has passed")
}

/// What stands for the failed check where a router names none.
pub(crate) fn found_unhealthy() -> String {
    say("a router finds it unhealthy")
}

/// Why a task is stopped whose instance is drained.
pub(crate) fn instance_draining(name: &str) -> String {
    say(format!("instance `{name}` is draining"))
}

/// Why a task is stopped whose instance is not there.
pub(crate) fn instance_gone() -> String {
    say("its instance is gone")
}

/// Why a task is stopped whose instance is silent.
pub(crate) fn instance_silent(name: &str, seconds: u64) -> String {
    say(format!("instance `{name}` was not heard of for {seconds} s"))
}

#[cfg(all(test, not(feature = "reworded")))]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn a_task_that_is_stopped_says_why_in_words_that_people_can_act_on() {
        let id = DeploymentId::new(Timestamp::EPOCH, [0; 10]);
        let hex = id.to_string();
        for (sentence, expected) in [
            (service_removed(&"hello"), "service `hello` was removed".to_owned()),
            (scaled_in(2), "scaled in to 2 tasks".to_owned()),
            (replaced(id), format!("replaced by deployment {hex}")),
            (
                never_healthy("GET / answered 500"),
                "failed its health checks: GET / answered 500".to_owned(),
            ),
            (
                turned_unhealthy("GET / timed out"),
                "failed its health checks after it was healthy: GET / timed out".to_owned(),
            ),
            (instance_draining("i1"), "instance `i1` is draining".to_owned()),
            (instance_silent("i1", 60), "instance `i1` was not heard of for 60 s".to_owned()),
        ] {
            assert_eq!(sentence, expected);
        }
    }
}
