//! A task in the agent's care: what is wanted and known of it, the one Op that is under way, and who is being looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::{AssignedTask, ContainerName, Timestamp};
use tokio::task::AbortHandle;

use crate::docker::Look;
use crate::known::{Known, Life};
use crate::next;
use crate::op::{Done, Op};
use crate::trouble::{DockerError, Trouble};

const LOOK_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_LOOK_PAUSE: Duration = Duration::from_secs(15);

/// A task in the agent's care.
#[derive(Debug)]
pub(crate) struct Tended {
    /// What is wanted.
    pub(crate) task: Arc<AssignedTask>,
    /// What is known.
    pub(crate) known: Known,
    flight: Option<Flight>,
    looks: BTreeMap<ContainerName, Looking>,
}

/// The Op that is under way.
#[derive(Debug)]
struct Flight {
    number: u64,
    op: Op,
    abort: AbortHandle,
}

/// Whether somebody looks at a container, or should.
#[derive(Debug, Default)]
struct Looking {
    is_due: bool,
    is_under_way: bool,
    /// How often the container has been changed: what was seen before that is old.
    changes: u64,
    failures: u32,
    /// When the last one failed.
    failed_at: Timestamp,
}

impl Looking {
    fn not_before(&self) -> Timestamp {
        let Some(doublings) = self.failures.checked_sub(1) else { return self.failed_at };
        self.failed_at.plus((LOOK_PAUSE * (1 << doublings.min(8))).min(LONGEST_LOOK_PAUSE))
    }

    /// A clock that went back ends the pause.
    fn is_held(&self, now: Timestamp) -> bool {
        self.failed_at <= now && now < self.not_before()
    }
}

impl Tended {
    /// Takes a task into care; `life` is Absent where it can have no containers, else Unseen.
    pub(crate) fn new(task: AssignedTask, life: &Life) -> Self {
        Self {
            known: Known::new(&task, life),
            task: Arc::new(task),
            flight: None,
            looks: BTreeMap::new(),
        }
    }

    /// Takes what is wanted now.
    pub(crate) fn want(&mut self, task: &AssignedTask) {
        if *self.task == *task {
            return;
        }
        if !task.containers.iter().map(|one| &one.name).eq(self
            .task
            .containers
            .iter()
            .map(|one| &one.name))
        {
            // Definitions are immutable, so this is not to be expected; nothing that is known then counts.
            self.known = Known::new(task, &Life::Unseen);
        }
        self.task = Arc::new(task.clone());
    }

    /// The next Op, if none is under way. A pull that is no longer wanted makes way.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Op> {
        let op = next::next(&self.task, &self.known, now);
        if let Some(flight) = &self.flight {
            if !matches!(flight.op, Op::Pull { .. }) || op.as_ref() == Some(&flight.op) {
                return None;
            }
            self.abort();
        }
        op
    }

    /// An Op has been begun.
    pub(crate) fn began(&mut self, number: u64, op: Op, abort: AbortHandle) {
        self.flight = Some(Flight { number, op, abort });
    }

    /// Whether an Op is under way that may bring a container to life: until it has ended the task has not.
    pub(crate) fn is_waking(&self) -> bool {
        self.flight.as_ref().is_some_and(|flight| {
            matches!(flight.op, Op::Create { .. } | Op::Start { .. } | Op::Restart { .. })
        })
    }

    /// Cancels the Op that is under way.
    pub(crate) fn abort(&mut self) {
        if let Some(flight) = self.flight.take() {
            tracing::info!(task.id = %self.task.id, "gave up to {}", flight.op);
            flight.abort.abort();
        }
    }

    /// The Op of that number has ended; says which it was, unless it had been cancelled.
    pub(crate) fn ended(
        &mut self,
        number: u64,
        result: Result<Done, Trouble>,
        now: Timestamp,
    ) -> Option<Op> {
        let flight = self.flight.take_if(|flight| flight.number == number)?;
        let looking = self.looks.entry(flight.op.container().clone()).or_default();
        looking.changes += 1;
        looking.is_due |= matches!(result, Err(Trouble::Stale(_)));
        self.known.did(&flight.op, result, now);
        Some(flight.op)
    }

    /// A container should be looked at.
    pub(crate) fn look_at(&mut self, name: &ContainerName) {
        if self.known.containers.contains_key(name) {
            self.looks.entry(name.clone()).or_default().is_due = true;
        }
    }

    /// The containers to look at now, each with Docker's id where it is known and a number that tells how old a look is.
    pub(crate) fn looks(&mut self, now: Timestamp) -> Vec<(ContainerName, Option<String>, u64)> {
        let mut begun = Vec::new();
        for (name, container) in &self.known.containers {
            // What an Op does to a container is seen better after it.
            let is_worked_on = self.flight.as_ref().is_some_and(|flight| {
                flight.op.container() == name
                    && !matches!(flight.op, Op::Pull { .. } | Op::Find { .. })
            });
            let looking = self.looks.entry(name.clone()).or_default();
            let is_due = looking.is_due || container.life == Life::Unseen;
            if is_due && !looking.is_under_way && !is_worked_on && !looking.is_held(now) {
                (looking.is_due, looking.is_under_way) = (false, true);
                begun.push((
                    name.clone(),
                    container.life.id().map(ToOwned::to_owned),
                    looking.changes,
                ));
            }
        }
        begun
    }

    /// What a look has shown.
    pub(crate) fn looked(
        &mut self,
        name: &ContainerName,
        changes: u64,
        look: Result<Look, DockerError>,
        now: Timestamp,
    ) {
        let Some(looking) = self.looks.get_mut(name) else { return };
        looking.is_under_way = false;
        match look {
            Ok(_) if looking.changes != changes => looking.is_due = true,
            Ok(look) => {
                looking.failures = 0;
                match look {
                    Look::Seen(seen) => self.known.saw(name, Some(seen)),
                    Look::Nothing => self.known.saw(name, None),
                    Look::Foreign => self.known.saw_foreign(name),
                }
            }
            Err(error) => {
                tracing::warn!(task.id = %self.task.id, "cannot look at container `{name}`: {error}");
                looking.failures += 1;
                (looking.failed_at, looking.is_due) = (now, true);
            }
        }
    }

    /// When there may be something to do although nothing has happened.
    pub(crate) fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let looks = self
            .looks
            .values()
            .filter(|looking| looking.is_due && !looking.is_under_way && looking.is_held(now));
        let looks = looks.map(Looking::not_before);
        looks.chain(next::wake(&self.task, &self.known, now)).min()
    }
}
