//! Where a task is, with what it has there and nothing else.

use super::{Placement, Task, TaskStatus};
use crate::id::StateRevision;
use crate::stop::{StopCode, Stopped};
use crate::time::Timestamp;

/// Where a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskPhase<'a> {
    /// Waits for an instance.
    Provisioning,
    /// Has an instance; its agent has not begun.
    Pending {
        /// Where it will run.
        placement: &'a Placement,
    },
    /// Images are pulled, containers created and started.
    Activating {
        /// Where it will run.
        placement: &'a Placement,
    },
    /// Its containers run.
    Running {
        /// Where.
        placement: &'a Placement,
        /// Since when.
        run: Run,
    },
    /// Still runs, but routers take it out of rotation.
    Deactivating {
        /// Where.
        placement: &'a Placement,
        /// Since when it runs.
        run: Run,
        /// What stops it.
        stop: Stop<'a>,
    },
    /// Its containers are told to stop.
    Stopping {
        /// Where it runs.
        placement: &'a Placement,
        /// How it ran, if it came so far.
        run: Option<Run>,
        /// What stops it.
        stop: Stop<'a>,
        /// The revision that took it out of the routing table, if it ever was in it.
        unrouted_at: Option<StateRevision>,
    },
    /// Its containers have exited.
    Stopped {
        /// Where it ran, if it had a place.
        placement: Option<&'a Placement>,
        /// How it ran, if it came so far.
        run: Option<Run>,
        /// What stopped it.
        stop: Stop<'a>,
        /// When it had stopped.
        stopped_at: Timestamp,
        /// The revision that took it out of the routing table, if it ever was in it.
        unrouted_at: Option<StateRevision>,
        /// Whether its agent has removed its containers.
        reaped: bool,
    },
}

/// Its time at RUNNING.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When it reached RUNNING.
    pub started_at: Timestamp,
    /// When it was first healthy, if it was.
    pub healthy_at: Option<Timestamp>,
}

/// What stops a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop<'a> {
    /// When it was told to stop, or began to by itself.
    pub at: Timestamp,
    /// Why.
    pub why: &'a Stopped,
}

/// Stands where a row does not say why its task stops; Berth writes none such.
static UNSAID: Stopped =
    Stopped { code: StopCode::EssentialContainerExited, reason: String::new(), cause: None };

impl Task {
    /// Where it is, with what it has there.
    pub fn phase(&self) -> TaskPhase<'_> {
        if self.last_status == TaskStatus::Stopped {
            return self.phase_when_stopped();
        }
        let Some(placement) = &self.placement else { return TaskPhase::Provisioning };
        let (run, stop, unrouted_at) = (self.run(), self.stop_view(), self.unrouted_at);
        let ran = run.unwrap_or(Run { started_at: self.created_at, healthy_at: None });
        match self.last_status {
            TaskStatus::Provisioning | TaskStatus::Pending => TaskPhase::Pending { placement },
            TaskStatus::Activating => TaskPhase::Activating { placement },
            TaskStatus::Running => TaskPhase::Running { placement, run: ran },
            TaskStatus::Deactivating => TaskPhase::Deactivating { placement, run: ran, stop },
            TaskStatus::Stopping => TaskPhase::Stopping { placement, run, stop, unrouted_at },
            TaskStatus::Stopped => self.phase_when_stopped(),
        }
    }

    fn phase_when_stopped(&self) -> TaskPhase<'_> {
        let stop = self.stop_view();
        TaskPhase::Stopped {
            placement: self.placement.as_ref(),
            run: self.run(),
            stop,
            stopped_at: self.stopped_at.unwrap_or(stop.at),
            unrouted_at: self.unrouted_at,
            reaped: self.reaped,
        }
    }

    fn run(&self) -> Option<Run> {
        let healthy_at = self.healthy_at;
        self.started_at.map(|started_at| Run { started_at, healthy_at })
    }

    fn stop_view(&self) -> Stop<'_> {
        Stop {
            at: self.stopping_at.unwrap_or(self.created_at),
            why: self.stopped.as_ref().unwrap_or(&UNSAID),
        }
    }
}
