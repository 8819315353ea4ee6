//! The agent's state of one task: what Docker's inspections showed of its containers, and which Ops failed. It is in memory
//! only; after a restart of the agent it is read from Docker again, and failed Ops are tried anew.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{
    AssignedTask, Backoff, ContainerId, ContainerName, ImageId, StopCause, Stopped, Timestamp,
};

use crate::error::OpError;
use crate::exit::Exit;
use crate::op::{Done, Found, Op};
use crate::sentences;

/// Attempts of an Op that is retried a limited number of times, before the task ends.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// How long an Op waits after it failed.
const RETRY: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));

/// The state of one task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskState {
    /// Its containers, by name: exactly those of its definition.
    pub(crate) containers: BTreeMap<ContainerName, Container>,
    /// Set once it can never run.
    pub(crate) failure: Option<TaskFailure>,
    retries: Vec<RetryState>,
    starts: u64,
    /// Draws the delays of this task, so that tasks that failed together are not retried together.
    random: u64,
}

/// The state of one container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    /// Its image on this host.
    pub(crate) image: Image,
    /// Its lifecycle state.
    pub(crate) state: ContainerState,
    /// The signal that stops it, where its image or its configuration names one; else SIGTERM.
    pub(crate) stop_signal: Option<String>,
    /// How often its policy has restarted it.
    pub(crate) restarts: u32,
    /// Orders the starts of the task's containers: the number of its last start; 0 where that was before the agent's own.
    pub(crate) started: u64,
    /// Whether it was seen with as many processes as it may have, since it was started last.
    pub(crate) hit_process_limit: bool,
    /// Whether its image has been pulled for it.
    pulled: bool,
}

/// A container's image on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Image {
    /// Not looked up yet.
    Unknown,
    /// Not on this host: it must be pulled.
    Missing,
    /// On this host, under this id.
    Present(ImageId),
}

/// The lifecycle state of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContainerState {
    /// Not inspected yet.
    Unknown,
    /// It does not exist yet.
    NotCreated,
    /// It has never run.
    Created {
        /// Docker's id.
        id: ContainerId,
    },
    /// It runs.
    Running {
        /// Docker's id.
        id: ContainerId,
        /// How far stopping it has got.
        stop: Option<StopProgress>,
    },
    /// It has exited.
    Exited {
        /// Docker's id.
        id: ContainerId,
        /// How.
        exit: Exit,
    },
    /// It existed and was removed.
    Removed,
}

/// How far stopping a running container has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopProgress {
    /// Its stop signal has been tried since this time, and Docker has not sent it.
    Unsent(Timestamp),
    /// It got its stop signal at this time.
    Signalled(Timestamp),
    /// It got SIGKILL at this time.
    Killed(Timestamp),
}

/// Why a task can never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskFailure {
    /// The container that failed.
    pub(crate) container: ContainerName,
    /// How the task ends.
    pub(crate) stopped: Stopped,
}

/// An Op that failed, and when it is tried again.
#[derive(Debug, Clone, PartialEq)]
struct RetryState {
    op: Op,
    attempts: u32,
    at: Timestamp,
    delay: Duration,
    reason: String,
}

/// A container as Docker's inspection shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Docker's id.
    pub(crate) id: ContainerId,
    /// Its state.
    pub(crate) state: ObservedState,
    /// Its configured stop signal.
    pub(crate) stop_signal: Option<String>,
}

/// The state in an inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObservedState {
    /// It has never run.
    Created,
    /// It runs.
    Running,
    /// It has exited.
    Exited(Exit),
}

impl ContainerState {
    /// Docker's id, while there is a container.
    pub(crate) fn id(&self) -> Option<&ContainerId> {
        match self {
            Self::Created { id } | Self::Running { id, .. } | Self::Exited { id, .. } => Some(id),
            Self::Unknown | Self::NotCreated | Self::Removed => None,
        }
    }

    /// Its exit, once it has exited.
    pub(crate) fn exit(&self) -> Option<&Exit> {
        if let Self::Exited { exit, .. } = self { Some(exit) } else { None }
    }

    /// It is not what an Op assumed: until an inspection it is not known.
    fn doubt(&mut self) {
        *self = match std::mem::replace(self, Self::Unknown) {
            // The inspection needs its id, and whether its stop signal was sent must not be forgotten.
            unchanged @ (Self::Running { .. } | Self::Exited { .. }) => unchanged,
            Self::Unknown | Self::NotCreated | Self::Created { .. } => Self::Unknown,
            Self::Removed => Self::Removed,
        };
    }
}

impl RetryState {
    fn until(&self) -> Timestamp {
        self.at.plus(self.delay)
    }

    /// A clock that was set back ends the delay.
    fn is_waiting(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until()
    }
}

impl TaskState {
    /// A new task. `state` is `NotCreated` where no container of it can exist, else `Unknown`; `random` draws its delays.
    pub(crate) fn new(task: &AssignedTask, state: &ContainerState, random: u64) -> Self {
        let container = Container {
            image: Image::Unknown,
            state: state.clone(),
            stop_signal: None,
            restarts: 0,
            started: 0,
            hit_process_limit: false,
            pulled: false,
        };
        let names = task.containers.iter().map(|one| one.name.clone());
        Self {
            containers: names.map(|name| (name, container.clone())).collect(),
            failure: None,
            retries: Vec::new(),
            starts: 0,
            random,
        }
    }

    /// The state of the container of that name, which must be one of the task's.
    pub(crate) fn container(&self, name: &ContainerName) -> &Container {
        &self.containers[name]
    }

    /// Whether an Op still waits for its next attempt.
    pub(crate) fn is_delayed(&self, op: &Op, now: Timestamp) -> bool {
        self.retries.iter().any(|retry| retry.op == *op && retry.is_waiting(now))
    }

    /// When the next attempt of a failed Op is due.
    pub(crate) fn delayed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.retries.iter().filter(|retry| retry.is_waiting(now)).map(RetryState::until).min()
    }

    /// Why an Op of a container is retried, in a sentence.
    pub(crate) fn waiting_reason(&self, name: &ContainerName) -> Option<&str> {
        let mut retries = self.retries.iter().filter(|retry| retry.op.container() == name);
        retries.next().map(|retry| retry.reason.as_str())
    }

    /// Whether no container of it exists.
    pub(crate) fn is_empty(&self) -> bool {
        let is_none = |one: &Container| {
            matches!(one.state, ContainerState::NotCreated | ContainerState::Removed)
        };
        self.containers.values().all(is_none)
    }

    /// Takes the result of an inspection; None: the container does not exist.
    pub(crate) fn observed(&mut self, name: &ContainerName, observed: Option<Observed>) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let before = std::mem::replace(&mut container.state, ContainerState::Unknown);
        container.state = match observed {
            Some(observed) => {
                container.stop_signal = observed.stop_signal;
                if observed.state == ObservedState::Running
                    && !matches!(before, ContainerState::Running { .. } | ContainerState::Unknown)
                {
                    // It was started by a call whose answer was lost.
                    self.starts += 1;
                    container.started = self.starts;
                    container.hit_process_limit = false;
                }
                merge(before, observed.id, observed.state)
            }
            None => match before {
                ContainerState::Unknown | ContainerState::NotCreated => ContainerState::NotCreated,
                // Its exit is known; that it was removed since does not change how the task ended.
                ContainerState::Exited { .. } => before,
                ContainerState::Created { .. }
                | ContainerState::Running { .. }
                | ContainerState::Removed => ContainerState::Removed,
            },
        };
    }

    /// Takes the result of an inspection that found another container under the name.
    pub(crate) fn found_foreign(&mut self, name: &ContainerName) {
        if let Some(container) = self.containers.get_mut(name) {
            container.state = ContainerState::NotCreated;
        }
        let reason = sentences::name_in_use(name);
        self.fail(name, Stopped::new(StopCause::NameTaken, reason));
    }

    /// Takes that a container has written more bytes in its own file system than the MiB that it may.
    pub(crate) fn wrote_too_much(&mut self, id: &ContainerId, bytes: u64, most: u64) {
        let found = self.containers.iter().find(|(_, one)| one.state.id() == Some(id));
        let Some(name) = found.map(|(name, _)| name.clone()) else { return };
        let reason = sentences::wrote_too_much(&name, bytes, most);
        self.fail(&name, Stopped::new(StopCause::DiskLimit, reason));
    }

    /// Takes the result of an Op.
    pub(crate) fn op_ended(&mut self, op: &Op, result: Result<Done, OpError>, now: Timestamp) {
        match result {
            Ok(done) => {
                self.retries.retain(|retry| retry.op != *op);
                self.apply_done(op, done, now);
            }
            Err(error) => self.apply_error(op, error, now),
        }
    }

    fn apply_done(&mut self, op: &Op, done: Done, now: Timestamp) {
        let Some(container) = self.containers.get_mut(op.container()) else { return };
        match done {
            Done::Found(found) => {
                if let Some(stopped) = container.image_found(found) {
                    self.fail(op.container(), stopped);
                }
            }
            Done::Pulled => (container.image, container.pulled) = (Image::Unknown, true),
            Done::Created(id) => container.state = ContainerState::Created { id },
            Done::Started => {
                if let Some(id) = container.state.id().cloned() {
                    if matches!(container.state, ContainerState::Exited { .. }) {
                        container.restarts += 1;
                    }
                    self.starts += 1;
                    container.started = self.starts;
                    container.hit_process_limit = false;
                    container.state = ContainerState::Running { id, stop: None };
                }
            }
            Done::Signalled => {
                if let ContainerState::Running { stop, .. } = &mut container.state {
                    let is_killed = matches!(op, Op::Kill { .. });
                    *stop = Some(if is_killed {
                        StopProgress::Killed(now)
                    } else {
                        StopProgress::Signalled(now)
                    });
                }
            }
            Done::Read(lines) => {
                if let ContainerState::Exited { exit, .. } = &mut container.state {
                    exit.log_tail = Some(lines);
                }
            }
            Done::Removed => container.state = ContainerState::Removed,
        }
    }

    fn apply_error(&mut self, op: &Op, error: OpError, now: Timestamp) {
        let Some(container) = self.containers.get_mut(op.container()) else { return };
        if let (Op::Terminate { id: asked, .. }, ContainerState::Running { id, stop }) =
            (op, &mut container.state)
            && asked == id
        {
            // Whatever Docker says to a signal, its time runs from the first attempt on: SIGKILL comes at its end.
            stop.get_or_insert(StopProgress::Unsent(now));
        }
        match error {
            OpError::Retry(reason) | OpError::NetworkMissing(reason) => {
                self.retry_later(op, reason, now);
            }
            OpError::RetryLimited { reason, cause } => {
                let attempts = self.retry_later(op, reason.clone(), now);
                if attempts >= MAX_ATTEMPTS {
                    self.give_up(op, cause.map(|cause| Stopped::new(cause, reason)));
                }
            }
            OpError::Fatal(stopped) => self.fail(op.container(), stopped),
            OpError::Stale(reason) => {
                container.state.doubt();
                self.retry_later(op, reason, now);
            }
            OpError::StaleLimited(stopped) => {
                container.state.doubt();
                let attempts = self.retry_later(op, stopped.reason.clone(), now);
                if attempts >= MAX_ATTEMPTS {
                    self.fail(op.container(), stopped);
                }
            }
            // A container that was to be started and does not exist will not come back, even if an earlier exit is known.
            OpError::ContainerMissing if matches!(op, Op::Start { .. } | Op::Restart { .. }) => {
                container.state = ContainerState::Removed;
            }
            OpError::ContainerMissing => self.observed(op.container(), None),
            OpError::ImageMissing => (container.image, container.pulled) = (Image::Unknown, false),
        }
    }

    fn retry_later(&mut self, op: &Op, reason: String, now: Timestamp) -> u32 {
        let before = self.retries.iter().position(|retry| retry.op == *op);
        let attempts = before.map_or(0, |index| self.retries.swap_remove(index).attempts) + 1;
        let delay = RETRY.after(attempts, self.random);
        self.retries.push(RetryState { op: op.clone(), attempts, at: now, delay, reason });
        attempts
    }

    /// Ends the task, unless the Op only serves to end it. A log that cannot be read counts as empty.
    fn give_up(&mut self, op: &Op, stopped: Option<Stopped>) {
        if let Some(stopped) = stopped {
            return self.fail(op.container(), stopped);
        }
        if let Op::Tail { container, .. } = op
            && let Some(Container { state: ContainerState::Exited { exit, .. }, .. }) =
                self.containers.get_mut(container)
        {
            exit.log_tail = Some(Vec::new());
        }
    }

    fn fail(&mut self, container: &ContainerName, stopped: Stopped) {
        self.failure.get_or_insert_with(|| TaskFailure { container: container.clone(), stopped });
    }
}

impl Container {
    /// Takes the result of looking up its image; Some where it cannot be used, so that the task ends.
    fn image_found(&mut self, found: Option<Found>) -> Option<Stopped> {
        self.image = Image::Missing;
        let Found { id, stop_signal, unfit } = found?;
        match unfit {
            // The digest of an index may be on the host with another platform's image: a pull brings the right one.
            Some(_) if !self.pulled => None,
            Some(wrong) => {
                let reason = sentences::wrong_platform(&wrong);
                Some(Stopped::new(StopCause::ImagePlatform, reason))
            }
            None => {
                (self.image, self.stop_signal) = (Image::Present(id), stop_signal);
                None
            }
        }
    }
}

/// The state after an inspection: stop progress and log tail, which Docker does not tell, are kept for the same run.
fn merge(before: ContainerState, id: ContainerId, state: ObservedState) -> ContainerState {
    match state {
        ObservedState::Created => ContainerState::Created { id },
        ObservedState::Running => {
            let stop = if let ContainerState::Running { id: known, stop, .. } = before
                && known == id
            {
                stop
            } else {
                None
            };
            ContainerState::Running { id, stop }
        }
        ObservedState::Exited(exit) => {
            let log_tail = if let ContainerState::Exited { id: known, exit: before } = before
                && (&known, before.at) == (&id, exit.at)
            {
                before.log_tail
            } else {
                exit.log_tail
            };
            ContainerState::Exited { id, exit: Exit { log_tail, ..exit } }
        }
    }
}
