//! The steps of a task. Each leaves it as it is where it is past the step.

use super::{DesiredStatus, Placement, Task, TaskContainer, TaskStatus};
use crate::id::StateRevision;
use crate::stop::Stopped;
use crate::time::Timestamp;

/// When something happens: the time, and the revision that State has from then on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Timestamp,
    pub(crate) revision: StateRevision,
}

impl Task {
    /// PROVISIONING becomes PENDING.
    pub(crate) fn place(&mut self, placement: Placement) {
        if self.last_status == TaskStatus::Provisioning {
            self.placement = Some(placement);
            self.last_status = TaskStatus::Pending;
        }
    }

    /// Its agent has come so far: ACTIVATING or RUNNING.
    pub(crate) fn advance(&mut self, status: TaskStatus, at: Timestamp) {
        self.last_status = self.last_status.max(status);
        if self.last_status == TaskStatus::Running {
            self.started_at.get_or_insert(at);
        }
    }

    /// What its agent sees of its containers; those that are not named stay as they are known.
    pub(crate) fn see(&mut self, containers: &[TaskContainer]) {
        for seen in containers {
            if let Some(known) = self.containers.iter_mut().find(|known| known.name == seen.name) {
                *known = TaskContainer { image: known.image.clone(), ..seen.clone() };
            }
        }
    }

    /// It was healthy for the first time.
    pub(crate) fn become_healthy(&mut self, at: Timestamp) {
        if self.last_status == TaskStatus::Running {
            self.healthy_at.get_or_insert(at);
        }
    }

    /// It should not run any more: RUNNING becomes DEACTIVATING, anything earlier STOPPING, and one that has no place
    /// STOPPED.
    pub(crate) fn stop(&mut self, stopped: Stopped, now: Moment) {
        if !self.wanted() {
            return;
        }
        self.desired_status = DesiredStatus::Stopped;
        self.stopping_at = Some(now.at);
        self.stopped = Some(stopped);
        match self.last_status {
            TaskStatus::Provisioning => {
                self.last_status = TaskStatus::Stopped;
                self.stopped_at = Some(now.at);
                self.reaped = true;
            }
            TaskStatus::Running => {
                self.last_status = TaskStatus::Deactivating;
                self.deactivated_at = Some(now.revision);
            }
            TaskStatus::Pending | TaskStatus::Activating => self.last_status = TaskStatus::Stopping,
            TaskStatus::Deactivating | TaskStatus::Stopping | TaskStatus::Stopped => {}
        }
    }

    /// DEACTIVATING becomes STOPPING: no router sends it anything any more.
    pub(crate) fn drained(&mut self, revision: StateRevision) {
        if self.last_status == TaskStatus::Deactivating {
            self.unrouted_at = Some(revision);
            self.last_status = TaskStatus::Stopping;
        }
    }

    /// It ends, STOPPING, or has ended, STOPPED: told or by itself. What told it to stop stays the reason.
    pub(crate) fn end(
        &mut self,
        status: TaskStatus,
        stopped: impl FnOnce() -> Stopped,
        now: Moment,
    ) {
        if self.last_status == TaskStatus::Stopped {
            return;
        }
        if self.routed() {
            self.unrouted_at = Some(now.revision);
        }
        self.last_status = self.last_status.max(status);
        self.desired_status = DesiredStatus::Stopped;
        self.stopping_at.get_or_insert(now.at);
        self.stopped.get_or_insert_with(stopped);
        if self.last_status == TaskStatus::Stopped {
            self.stopped_at = Some(now.at);
        }
    }

    /// Its agent has removed its containers.
    pub(crate) fn reap(&mut self) {
        self.reaped |= self.last_status == TaskStatus::Stopped;
    }
}
