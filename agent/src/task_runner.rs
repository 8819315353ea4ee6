//! Runs one task: its desired and actual state, the one Op that is under way, and the inspections of its containers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{AssignedTask, Backoff, ContainerId, ContainerName, Timestamp};
use tokio::task::AbortHandle;

use crate::docker::Inspection;
use crate::error::{DockerError, OpError};
use crate::next;
use crate::op::{Done, Op};
use crate::sentences;
use crate::task_state::{ContainerState, TaskState};

/// The steps in which the peak of a task's memory grows, in MiB.
const MEMORY_STEP_MIB: u64 = 16;
/// How long an inspection waits after it failed.
const INSPECT_RETRY: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(15));

/// One task of the instance.
#[derive(Debug)]
pub(crate) struct TaskRunner {
    /// Its desired state.
    pub(crate) task: Arc<AssignedTask>,
    /// Its actual state.
    pub(crate) state: TaskState,
    running: Option<RunningOp>,
    inspects: BTreeMap<ContainerName, InspectState>,
    /// The most memory that its containers were seen to use together, in MiB.
    pub(crate) peak_memory_mib: Option<u64>,
    /// Draws the delays after failures.
    random: u64,
}

/// The Op that is under way.
#[derive(Debug)]
struct RunningOp {
    number: u64,
    op: Op,
    abort: AbortHandle,
}

/// The inspections of a container.
#[derive(Debug, Default)]
struct InspectState {
    is_due: bool,
    is_under_way: bool,
    /// How many Ops on the container have ended: an inspection that began before the last one is outdated.
    changes: u64,
    failures: u32,
    /// When the last one failed.
    failed_at: Timestamp,
    delay: Duration,
}

impl InspectState {
    fn not_before(&self) -> Timestamp {
        self.failed_at.plus(self.delay)
    }

    /// A clock that was set back ends the delay.
    fn is_delayed(&self, now: Timestamp) -> bool {
        self.failed_at <= now && now < self.not_before()
    }
}

impl TaskRunner {
    /// A new task. `state` is `NotCreated` where no container of it can exist, else `Unknown`; `random` draws its delays.
    pub(crate) fn new(task: AssignedTask, state: &ContainerState, random: u64) -> Self {
        Self {
            state: TaskState::new(&task, state, random),
            task: Arc::new(task),
            running: None,
            inspects: BTreeMap::new(),
            peak_memory_mib: None,
            random,
        }
    }

    /// Its containers were seen to use so many MiB. The peak grows in steps, so that small ones are no news.
    pub(crate) fn used_memory(&mut self, mebibytes: u64) {
        let used = mebibytes.next_multiple_of(MEMORY_STEP_MIB);
        self.peak_memory_mib = self.peak_memory_mib.max(Some(used));
    }

    /// Takes a new desired state.
    pub(crate) fn set_wanted(&mut self, task: &AssignedTask) {
        if *self.task == *task {
            return;
        }
        if !task.containers.iter().map(|one| &one.name).eq(self
            .task
            .containers
            .iter()
            .map(|one| &one.name))
        {
            // Definitions are immutable, so this is not expected; the state is read from Docker again.
            self.state = TaskState::new(task, &ContainerState::Unknown, self.random);
        }
        self.task = Arc::new(task.clone());
    }

    /// The next Op, unless one is under way. A pull that is no longer the next Op is cancelled.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Op> {
        let op = next::next(&self.task, &self.state, now);
        if let Some(running) = &self.running {
            if !matches!(running.op, Op::Pull { .. }) || op.as_ref() == Some(&running.op) {
                return None;
            }
            self.abort();
        }
        op
    }

    /// An Op was started.
    pub(crate) fn op_started(&mut self, number: u64, op: Op, abort: AbortHandle) {
        self.running = Some(RunningOp { number, op, abort });
    }

    /// Whether an Op is under way that creates or starts a container: the task has not ended before it has.
    pub(crate) fn is_starting(&self) -> bool {
        self.running.as_ref().is_some_and(|running| {
            matches!(running.op, Op::Create { .. } | Op::Start { .. } | Op::Restart { .. })
        })
    }

    /// Cancels the Op that is under way.
    pub(crate) fn abort(&mut self) {
        if let Some(running) = self.running.take() {
            tracing::info!(task.id = %self.task.id, "cancelled: {}", running.op);
            running.abort.abort();
        }
    }

    /// Takes the result of the Op of that number; says whether it counts, which it does not once the Op was cancelled.
    pub(crate) fn op_ended(
        &mut self,
        number: u64,
        result: Result<Done, OpError>,
        now: Timestamp,
    ) -> bool {
        let Some(running) = self.running.take_if(|running| running.number == number) else {
            return false;
        };
        self.log_result(&running.op, &result);
        let inspect = self.inspects.entry(running.op.container().clone()).or_default();
        inspect.changes += 1;
        inspect.is_due |= matches!(result, Err(OpError::Stale(_) | OpError::StaleLimited(_)));
        self.state.op_ended(&running.op, result, now);
        true
    }

    /// One line for each thing that is done, and a warning for each new cause of a failure.
    fn log_result(&self, op: &Op, result: &Result<Done, OpError>) {
        let id = self.task.id;
        match result {
            Ok(_) if matches!(op, Op::Find { .. } | Op::Tail { .. }) => {}
            Ok(_) => tracing::info!(task.id = %id, "done: {op} of task `{id}`"),
            Err(error) => {
                let reason = sentences::op_error(error);
                if self.state.waiting_reason(op.container()) == Some(reason) {
                    tracing::debug!(task.id = %id, "still cannot {op} of task `{id}`: {reason}");
                } else {
                    tracing::warn!(task.id = %id, "cannot {op} of task `{id}`: {reason}");
                }
            }
        }
    }

    /// Requests an inspection of a container.
    pub(crate) fn request_inspect(&mut self, name: &ContainerName) {
        if self.state.containers.contains_key(name) {
            self.inspects.entry(name.clone()).or_default().is_due = true;
        }
    }

    /// The containers to inspect now, each with Docker's id where it is known and the count of changes that dates the
    /// inspection.
    pub(crate) fn due_inspects(
        &mut self,
        now: Timestamp,
    ) -> Vec<(ContainerName, Option<ContainerId>, u64)> {
        let mut due = Vec::new();
        for (name, container) in &self.state.containers {
            // An inspection during an Op would be outdated when the Op ends.
            let is_being_changed = self.running.as_ref().is_some_and(|running| {
                running.op.container() == name
                    && !matches!(running.op, Op::Pull { .. } | Op::Find { .. })
            });
            let inspect = self.inspects.entry(name.clone()).or_default();
            let is_due = inspect.is_due || container.state == ContainerState::Unknown;
            if is_due && !inspect.is_under_way && !is_being_changed && !inspect.is_delayed(now) {
                (inspect.is_due, inspect.is_under_way) = (false, true);
                due.push((name.clone(), container.state.id().cloned(), inspect.changes));
            }
        }
        due
    }

    /// Takes the result of an inspection.
    pub(crate) fn inspected(
        &mut self,
        name: &ContainerName,
        changes: u64,
        inspection: Result<Inspection, DockerError>,
        now: Timestamp,
    ) {
        let Some(inspect) = self.inspects.get_mut(name) else { return };
        inspect.is_under_way = false;
        match inspection {
            Ok(_) if inspect.changes != changes => inspect.is_due = true,
            Ok(inspection) => {
                (inspect.failures, inspect.delay) = (0, Duration::ZERO);
                match inspection {
                    Inspection::Found(observed) => self.state.observed(name, Some(observed)),
                    Inspection::Missing => self.state.observed(name, None),
                    Inspection::Foreign => self.state.found_foreign(name),
                }
            }
            Err(error) => {
                tracing::warn!(task.id = %self.task.id, "cannot inspect container `{name}`: {error}");
                inspect.failures += 1;
                inspect.delay = INSPECT_RETRY.after(inspect.failures, self.random);
                (inspect.failed_at, inspect.is_due) = (now, true);
            }
        }
    }

    /// When something is due without any input.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let inspects = self
            .inspects
            .values()
            .filter(|inspect| inspect.is_due && !inspect.is_under_way && inspect.is_delayed(now));
        let inspects = inspects.map(InspectState::not_before);
        inspects.chain(next::wake(&self.task, &self.state, now)).min()
    }
}
