//! What the agent knows of one task: what Docker showed of its containers, and what the agent itself has tried. All of it is
//! memory. What counts is found again in Docker after a restart of the agent.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AssignedTask, Backoff, ContainerName, StopCode, Stopped, Timestamp};

use crate::error::OpError;
use crate::exit::Exit;
use crate::op::{Done, Found, Op};
use crate::sentences;

/// How often what may work the next time is tried before the task is given up.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// How long an Op waits after it failed.
const RETRY: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(15));

/// What is known of one task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TaskState {
    /// Its containers, by name: exactly those of its definition.
    pub(crate) containers: BTreeMap<ContainerName, Container>,
    /// Why it can never run.
    pub(crate) failure: Option<TaskFailure>,
    retries: Vec<RetryState>,
    starts: u64,
    /// Draws the delays of this task, so that tasks that failed together are not retried together.
    random: u64,
}

/// What is known of one container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    /// Its image on this host.
    pub(crate) image: Image,
    /// Where it is.
    pub(crate) state: ContainerState,
    /// What asks it to stop; SIGTERM unless its image says otherwise.
    pub(crate) stop_signal: Option<String>,
    /// How often its policy has restarted it.
    pub(crate) restarts: u32,
    /// The how-manieth start of the task's containers was its last one; 0 for one that ran before.
    pub(crate) started: u64,
    /// Whether its image has been pulled for it.
    pulled: bool,
}

/// A container's image on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Image {
    /// Nobody has looked.
    Unknown,
    /// It must be pulled.
    Missing,
    /// It is there, under this id.
    Present(String),
}

/// Where a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ContainerState {
    /// Nobody has looked whether there is one.
    Unknown,
    /// There is none yet.
    NotCreated,
    /// It has never run.
    Created {
        /// Docker's id.
        id: String,
    },
    /// It runs.
    Running {
        /// Docker's id.
        id: String,
        /// What it was told.
        stop: Option<StopProgress>,
    },
    /// It has exited.
    Exited {
        /// Docker's id.
        id: String,
        /// How.
        exit: Exit,
    },
    /// It was there and is removed.
    Removed,
}

/// What a running container was told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopProgress {
    /// To stop.
    Signalled(Timestamp),
    /// Nothing any more: SIGKILL.
    Killed(Timestamp),
}

/// Why a task can never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TaskFailure {
    /// Which container it is about.
    pub(crate) container: ContainerName,
    /// What becomes of the task.
    pub(crate) stopped: Stopped,
}

/// An Op that did not work and is held back for a while.
#[derive(Debug, Clone, PartialEq)]
struct RetryState {
    op: Op,
    attempts: u32,
    at: Timestamp,
    delay: Duration,
    reason: String,
}

/// A container as Docker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Docker's id.
    pub(crate) id: String,
    /// What it does.
    pub(crate) state: ObservedState,
    /// Its own stop signal.
    pub(crate) stop_signal: Option<String>,
}

/// What a container does.
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
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Created { id } | Self::Running { id, .. } | Self::Exited { id, .. } => Some(id),
            Self::Unknown | Self::NotCreated | Self::Removed => None,
        }
    }

    /// How it has exited, if it has.
    pub(crate) fn exit(&self) -> Option<&Exit> {
        if let Self::Exited { exit, .. } = self { Some(exit) } else { None }
    }
}

impl RetryState {
    fn until(&self) -> Timestamp {
        self.at.plus(self.delay)
    }

    /// A clock that went back ends the pause.
    fn is_waiting(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until()
    }
}

impl TaskState {
    /// Before anything is known; `state` is Absent where nothing can be there, else Unseen.
    pub(crate) fn new(task: &AssignedTask, state: &ContainerState, random: u64) -> Self {
        let container = Container {
            image: Image::Unknown,
            state: state.clone(),
            stop_signal: None,
            restarts: 0,
            started: 0,
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

    /// The container of that name, which is one of the task's.
    pub(crate) fn container(&self, name: &ContainerName) -> &Container {
        &self.containers[name]
    }

    /// Whether an Op is held back at that time.
    pub(crate) fn is_delayed(&self, op: &Op, now: Timestamp) -> bool {
        self.retries.iter().any(|retry| retry.op == *op && retry.is_waiting(now))
    }

    /// When the first Op that is held back at that time is not any more.
    pub(crate) fn delayed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.retries.iter().filter(|retry| retry.is_waiting(now)).map(RetryState::until).min()
    }

    /// What a container waits for, in a sentence.
    pub(crate) fn waiting_reason(&self, name: &ContainerName) -> Option<&str> {
        let mut retries = self.retries.iter().filter(|retry| retry.op.container() == name);
        retries.next().map(|retry| retry.reason.as_str())
    }

    /// Whether no container is left.
    pub(crate) fn is_empty(&self) -> bool {
        let is_none = |one: &Container| {
            matches!(one.state, ContainerState::NotCreated | ContainerState::Removed)
        };
        self.containers.values().all(is_none)
    }

    /// Docker has been asked for a container; None: there is none.
    pub(crate) fn observed(&mut self, name: &ContainerName, observed: Option<Observed>) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let before = std::mem::replace(&mut container.state, ContainerState::Unknown);
        container.state = match observed {
            Some(observed) => {
                container.stop_signal = observed.stop_signal;
                if observed.state == ObservedState::Running
                    && !matches!(before, ContainerState::Running { .. } | ContainerState::Unknown)
                {
                    // Its start went unheard.
                    self.starts += 1;
                    container.started = self.starts;
                }
                merge(before, observed.id, observed.state)
            }
            None => match before {
                ContainerState::Unknown | ContainerState::NotCreated => ContainerState::NotCreated,
                // Its exit is known, and worth more than its remains.
                ContainerState::Exited { .. } => before,
                ContainerState::Created { .. }
                | ContainerState::Running { .. }
                | ContainerState::Removed => ContainerState::Removed,
            },
        };
    }

    /// The container's name belongs to a container that is not Berth's.
    pub(crate) fn found_foreign(&mut self, name: &ContainerName) {
        if let Some(container) = self.containers.get_mut(name) {
            container.state = ContainerState::NotCreated;
        }
        let reason = sentences::name_in_use(name);
        self.fail(name, Stopped { code: StopCode::InfrastructureHealth, reason });
    }

    /// An Op has ended.
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
                if let Some(id) = container.state.id().map(ToOwned::to_owned) {
                    if matches!(container.state, ContainerState::Exited { .. }) {
                        container.restarts += 1;
                    }
                    self.starts += 1;
                    container.started = self.starts;
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
        match error {
            OpError::Retry(reason) | OpError::NetworkMissing(reason) => {
                self.retry_later(op, reason, now);
            }
            OpError::RetryLimited(stopped) => {
                let attempts = self.retry_later(op, stopped.reason.clone(), now);
                if attempts >= MAX_ATTEMPTS {
                    self.give_up(op, stopped);
                }
            }
            OpError::Fatal(stopped) => self.fail(op.container(), stopped),
            OpError::Stale(reason) => {
                container.state =
                    match std::mem::replace(&mut container.state, ContainerState::Unknown) {
                        // Whoever looks must find what is known of it, unless it is another.
                        unchanged @ (ContainerState::Running { .. }
                        | ContainerState::Exited { .. }) => unchanged,
                        ContainerState::Unknown
                        | ContainerState::NotCreated
                        | ContainerState::Created { .. } => ContainerState::Unknown,
                        ContainerState::Removed => ContainerState::Removed,
                    };
                self.retry_later(op, reason, now);
            }
            // What was to be started and is not there will not come back, whatever is known of its last end.
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

    /// What does not work although it was tried again ends the task, unless it only serves to end it.
    fn give_up(&mut self, op: &Op, stopped: Stopped) {
        match op {
            Op::Find { container }
            | Op::Pull { container }
            | Op::Create { container, .. }
            | Op::Start { container, .. }
            | Op::Restart { container, .. } => {
                self.fail(container, stopped);
            }
            Op::Tail { container, .. } => {
                if let Some(Container { state: ContainerState::Exited { exit, .. }, .. }) =
                    self.containers.get_mut(container)
                {
                    exit.log_tail = Some(Vec::new());
                }
            }
            Op::Terminate { .. } | Op::Kill { .. } | Op::Remove { .. } => {}
        }
    }

    fn fail(&mut self, container: &ContainerName, stopped: Stopped) {
        self.failure.get_or_insert_with(|| TaskFailure { container: container.clone(), stopped });
    }
}

impl Container {
    /// Takes what was found of its image; says why if it cannot be used.
    fn image_found(&mut self, found: Option<Found>) -> Option<Stopped> {
        self.image = Image::Missing;
        let Found { id, stop_signal, unfit } = found?;
        match unfit {
            // What is there may be another platform's share of the same index.
            Some(_) if !self.pulled => None,
            Some(wrong) => Some(Stopped {
                code: StopCode::TaskFailedToStart,
                reason: sentences::wrong_platform(&wrong),
            }),
            None => {
                (self.image, self.stop_signal) = (Image::Present(id), stop_signal);
                None
            }
        }
    }
}

/// The life that follows on what Docker shows; what only the agent knows of it stays.
fn merge(before: ContainerState, id: String, state: ObservedState) -> ContainerState {
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
