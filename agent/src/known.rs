//! What the agent knows of one task: what Docker showed of its containers, and what the agent itself has tried. All of it is
//! memory. What counts is found again in Docker after a restart of the agent.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AssignedTask, ContainerName, StopCode, Stopped, Timestamp};

use crate::op::{Done, Found, Op};
use crate::trouble::Trouble;

/// How often what may work the next time is tried before the task is given up.
pub(crate) const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is known of one task.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    /// Its containers, by name: exactly those of its definition.
    pub(crate) containers: BTreeMap<ContainerName, Container>,
    /// Why it can never run.
    pub(crate) failure: Option<Failure>,
    setbacks: Vec<Setback>,
    starts: u64,
}

/// What is known of one container.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Container {
    /// Its image on this host.
    pub(crate) image: Image,
    /// Where it is.
    pub(crate) life: Life,
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
    Unlooked,
    /// It must be pulled.
    Missing,
    /// It is there, under this id.
    Here(String),
}

/// Where a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nobody has looked whether there is one.
    Unseen,
    /// There is none yet.
    Absent,
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
        told: Option<Told>,
    },
    /// It has exited.
    Exited {
        /// Docker's id.
        id: String,
        /// How.
        exit: Exit,
    },
    /// It was there and is removed.
    Gone,
}

/// What a running container was told, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// To stop.
    Stop(Timestamp),
    /// Nothing any more: SIGKILL.
    Kill(Timestamp),
}

/// How a container has exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code.
    pub(crate) code: i64,
    /// Whether the kernel killed it for its memory.
    pub(crate) out_of_memory: bool,
    /// When.
    pub(crate) at: Timestamp,
    /// For how long it had run.
    pub(crate) ran: Duration,
    /// Its last lines, once they are read.
    pub(crate) tail: Option<Vec<String>>,
}

/// Why a task can never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Which container it is about.
    pub(crate) container: ContainerName,
    /// What becomes of the task.
    pub(crate) stopped: Stopped,
}

/// An Op that did not work and is held back for a while.
#[derive(Debug, Clone, PartialEq)]
struct Setback {
    op: Op,
    attempts: u32,
    at: Timestamp,
    reason: String,
}

/// A container as Docker shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Docker's id.
    pub(crate) id: String,
    /// What it does.
    pub(crate) state: SeenState,
    /// Its own stop signal.
    pub(crate) stop_signal: Option<String>,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SeenState {
    /// It has never run.
    Created,
    /// It runs.
    Running,
    /// It has exited.
    Exited(Exit),
}

impl Life {
    /// Docker's id, while there is a container.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Created { id } | Self::Running { id, .. } | Self::Exited { id, .. } => Some(id),
            Self::Unseen | Self::Absent | Self::Gone => None,
        }
    }

    /// How it has exited, if it has.
    pub(crate) fn exit(&self) -> Option<&Exit> {
        if let Self::Exited { exit, .. } = self { Some(exit) } else { None }
    }
}

impl Setback {
    fn until(&self) -> Timestamp {
        let doublings = self.attempts.saturating_sub(1).min(10);
        self.at.plus((FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE))
    }

    /// A clock that went back ends the pause.
    fn holds(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.until()
    }
}

impl Known {
    /// Before anything is known; `life` is Absent where nothing can be there, else Unseen.
    pub(crate) fn new(task: &AssignedTask, life: &Life) -> Self {
        let container = Container {
            image: Image::Unlooked,
            life: life.clone(),
            stop_signal: None,
            restarts: 0,
            started: 0,
            pulled: false,
        };
        let names = task.containers.iter().map(|one| one.name.clone());
        Self {
            containers: names.map(|name| (name, container.clone())).collect(),
            failure: None,
            setbacks: Vec::new(),
            starts: 0,
        }
    }

    /// The container of that name, which is one of the task's.
    pub(crate) fn container(&self, name: &ContainerName) -> &Container {
        &self.containers[name]
    }

    /// Whether an Op is held back at that time.
    pub(crate) fn is_held(&self, op: &Op, now: Timestamp) -> bool {
        self.setbacks.iter().any(|setback| setback.op == *op && setback.holds(now))
    }

    /// When the first Op that is held back at that time is not any more.
    pub(crate) fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.setbacks.iter().filter(|setback| setback.holds(now)).map(Setback::until).min()
    }

    /// What a container waits for, in a sentence.
    pub(crate) fn waits_for(&self, name: &ContainerName) -> Option<&str> {
        let mut setbacks = self.setbacks.iter().filter(|setback| setback.op.container() == name);
        setbacks.next().map(|setback| setback.reason.as_str())
    }

    /// Whether no container is left.
    pub(crate) fn is_empty(&self) -> bool {
        let is_none = |one: &Container| matches!(one.life, Life::Absent | Life::Gone);
        self.containers.values().all(is_none)
    }

    /// Docker has been asked for a container; None: there is none.
    pub(crate) fn saw(&mut self, name: &ContainerName, seen: Option<Seen>) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let before = std::mem::replace(&mut container.life, Life::Unseen);
        container.life = match seen {
            Some(seen) => {
                container.stop_signal = seen.stop_signal;
                if seen.state == SeenState::Running
                    && !matches!(before, Life::Running { .. } | Life::Unseen)
                {
                    // Its start went unheard.
                    self.starts += 1;
                    container.started = self.starts;
                }
                renew(before, seen.id, seen.state)
            }
            None => match before {
                Life::Unseen | Life::Absent => Life::Absent,
                // Its exit is known, and worth more than its remains.
                Life::Exited { .. } => before,
                Life::Created { .. } | Life::Running { .. } | Life::Gone => Life::Gone,
            },
        };
    }

    /// The container's name belongs to a container that is not Berth's.
    pub(crate) fn saw_foreign(&mut self, name: &ContainerName) {
        let reason = format!(
            "the name of container `{name}` is taken on this instance by a container that is not Berth's: remove that one"
        );
        if let Some(container) = self.containers.get_mut(name) {
            container.life = Life::Absent;
        }
        self.fail(name, StopCode::InfrastructureHealth, reason);
    }

    /// An Op has ended.
    pub(crate) fn did(&mut self, op: &Op, result: Result<Done, Trouble>, now: Timestamp) {
        match result {
            Ok(done) => {
                self.setbacks.retain(|setback| setback.op != *op);
                self.take(op, done, now);
            }
            Err(trouble) => self.suffer(op, trouble, now),
        }
    }

    fn take(&mut self, op: &Op, done: Done, now: Timestamp) {
        let Some(container) = self.containers.get_mut(op.container()) else { return };
        match done {
            Done::Found(found) => {
                if let Some((code, reason)) = container.found(found) {
                    self.fail(op.container(), code, reason);
                }
            }
            Done::Pulled => (container.image, container.pulled) = (Image::Unlooked, true),
            Done::Created(id) => container.life = Life::Created { id },
            Done::Started => {
                if let Some(id) = container.life.id().map(ToOwned::to_owned) {
                    if matches!(container.life, Life::Exited { .. }) {
                        container.restarts += 1;
                    }
                    self.starts += 1;
                    container.started = self.starts;
                    container.life = Life::Running { id, told: None };
                }
            }
            Done::Told => {
                if let Life::Running { told, .. } = &mut container.life {
                    let is_killed = matches!(op, Op::Kill { .. });
                    *told = Some(if is_killed { Told::Kill(now) } else { Told::Stop(now) });
                }
            }
            Done::Read(lines) => {
                if let Life::Exited { exit, .. } = &mut container.life {
                    exit.tail = Some(lines);
                }
            }
            Done::Removed => container.life = Life::Gone,
        }
    }

    fn suffer(&mut self, op: &Op, trouble: Trouble, now: Timestamp) {
        let Some(container) = self.containers.get_mut(op.container()) else { return };
        match trouble {
            Trouble::Later(reason) | Trouble::NoNetwork(reason) => {
                self.set_back(op, reason, now);
            }
            Trouble::Again(reason) => {
                let attempts = self.set_back(op, reason.clone(), now);
                if attempts >= ATTEMPTS {
                    self.give_up(op, reason);
                }
            }
            Trouble::Never(code, reason) => self.fail(op.container(), code, reason),
            Trouble::Stale(reason) => {
                container.life = match std::mem::replace(&mut container.life, Life::Unseen) {
                    // Whoever looks must find what is known of it, unless it is another.
                    known @ (Life::Running { .. } | Life::Exited { .. }) => known,
                    Life::Unseen | Life::Absent | Life::Created { .. } => Life::Unseen,
                    Life::Gone => Life::Gone,
                };
                self.set_back(op, reason, now);
            }
            // What was to be started and is not there will not come back, whatever is known of its last end.
            Trouble::Gone if matches!(op, Op::Start { .. } | Op::Restart { .. }) => {
                container.life = Life::Gone;
            }
            Trouble::Gone => self.saw(op.container(), None),
            Trouble::ImageGone => (container.image, container.pulled) = (Image::Unlooked, false),
        }
    }

    fn set_back(&mut self, op: &Op, reason: String, now: Timestamp) -> u32 {
        let before = self.setbacks.iter().position(|setback| setback.op == *op);
        let attempts = before.map_or(0, |index| self.setbacks.swap_remove(index).attempts) + 1;
        self.setbacks.push(Setback { op: op.clone(), attempts, at: now, reason });
        attempts
    }

    /// What does not work although it was tried again ends the task, unless it only serves to end it.
    fn give_up(&mut self, op: &Op, reason: String) {
        match op {
            Op::Find { container }
            | Op::Pull { container }
            | Op::Create { container, .. }
            | Op::Start { container, .. }
            | Op::Restart { container, .. } => {
                self.fail(container, StopCode::TaskFailedToStart, reason);
            }
            Op::Tail { container, .. } => {
                if let Some(Container { life: Life::Exited { exit, .. }, .. }) =
                    self.containers.get_mut(container)
                {
                    exit.tail = Some(Vec::new());
                }
            }
            Op::Terminate { .. } | Op::Kill { .. } | Op::Remove { .. } => {}
        }
    }

    fn fail(&mut self, container: &ContainerName, code: StopCode, reason: String) {
        self.failure.get_or_insert_with(|| Failure {
            container: container.clone(),
            stopped: Stopped { code, reason },
        });
    }
}

impl Container {
    /// Takes what was found of its image; says why if it cannot be used.
    fn found(&mut self, found: Option<Found>) -> Option<(StopCode, String)> {
        self.image = Image::Missing;
        let Found { id, stop_signal, unfit } = found?;
        match unfit {
            // What is there may be another platform's share of the same index.
            Some(_) if !self.pulled => None,
            Some(reason) => Some((StopCode::TaskFailedToStart, reason)),
            None => {
                (self.image, self.stop_signal) = (Image::Here(id), stop_signal);
                None
            }
        }
    }
}

/// The life that follows on what Docker shows; what only the agent knows of it stays.
fn renew(before: Life, id: String, state: SeenState) -> Life {
    match state {
        SeenState::Created => Life::Created { id },
        SeenState::Running => {
            let told = if let Life::Running { id: known, told, .. } = before
                && known == id
            {
                told
            } else {
                None
            };
            Life::Running { id, told }
        }
        SeenState::Exited(exit) => {
            let tail = if let Life::Exited { id: known, exit: before } = before
                && (&known, before.at) == (&id, exit.at)
            {
                before.tail
            } else {
                exit.tail
            };
            Life::Exited { id, exit: Exit { tail, ..exit } }
        }
    }
}
