//! How a container exited, as Docker's inspection tells it.

use std::time::Duration;

use model::{StopCause, Timestamp};

use crate::docker_fault;

/// How a container has exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code (`State.ExitCode`).
    pub(crate) code: i64,
    /// Whether the kernel killed it for exceeding its memory limit (`State.OOMKilled`).
    pub(crate) out_of_memory: bool,
    /// When (`State.FinishedAt`).
    pub(crate) at: Timestamp,
    /// For how long it had run.
    pub(crate) ran: Duration,
    /// Its last log lines, once they are read.
    pub(crate) log_tail: Option<Vec<String>>,
}

impl Exit {
    /// Whether the code may say that the command could not be executed: 126 and 127, by the convention of POSIX shells that
    /// Docker's init follows.
    pub(crate) fn is_command_failure(&self) -> bool {
        matches!(self.code, 126 | 127)
    }

    /// What ends a task whose essential container exited like this.
    pub(crate) fn cause(&self) -> StopCause {
        if self.out_of_memory {
            StopCause::OutOfMemory
        } else if self.command_error().is_some() {
            StopCause::CommandNotRun
        } else {
            StopCause::ContainerExited
        }
    }

    /// What Docker's init wrote when it could not execute the command; None where the code does not say so, where a program
    /// of the container gave the code itself, or while the log is not read.
    pub(crate) fn command_error(&self) -> Option<&str> {
        let lines = self.log_tail.as_ref().filter(|_| self.is_command_failure())?;
        docker_fault::init_error(lines)
    }
}
