//! How many tasks that matter to a request each instance has.

use std::collections::BTreeMap;

use model::{InstanceId, State, StopCode, Task};

use crate::request::Request;

/// How many tasks that matter to a request an instance has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tally {
    /// That it failed to run, and that are not forgotten yet: others come first.
    pub(crate) failed: usize,
    /// Of the same deployment: what stays when the roll-out is over.
    pub(crate) deployment: usize,
    /// Of the same service.
    pub(crate) service: usize,
}

/// How many tasks of a service, and of one deployment of it, each instance has, and how many it failed to run.
pub(crate) fn tally(state: &State, request: &Request) -> BTreeMap<InstanceId, Tally> {
    let mut tallies: BTreeMap<_, Tally> = BTreeMap::new();
    let tasks = request.service.into_iter().flat_map(|id| state.tasks_of(id));
    for task in tasks {
        let Some(instance) = task.instance() else { continue };
        let tally = tallies.entry(instance).or_default();
        if task.wanted() {
            tally.service += 1;
            tally.deployment += usize::from(task.deployment == request.deployment);
        } else if task.healthy_at().is_none() && blames_instance(task) {
            tally.failed += 1;
        }
    }
    tallies
}

fn blames_instance(task: &Task) -> bool {
    task.stopped().is_some_and(|stopped| match stopped.code {
        StopCode::TaskFailedToStart
        | StopCode::EssentialContainerExited
        | StopCode::InfrastructureHealth => true,
        StopCode::UserInitiated | StopCode::ServiceSchedulerInitiated => false,
    })
}
