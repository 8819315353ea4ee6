//! How a container exited, as Docker's inspection tells it.

use std::time::Duration;

use model::{StopCause, Timestamp};

use crate::docker_fault;

/// The exit code of a process that was killed (128 and SIGKILL).
const KILLED: i64 = 137;
/// How long before it starts again Docker ends containers: its own stop timeout, and a host's shutdown.
const DOCKER_STOPS: Duration = Duration::from_mins(5);
/// How long after its start Docker ends containers that it finds: those that outlived a crash of it.
const DOCKER_FINDS: Duration = Duration::from_mins(1);

/// Whether a container that ran from `started` to `exited` ended because Docker did, which started last at `docker`.
pub(crate) fn is_by_docker(started: Timestamp, exited: Timestamp, docker: Timestamp) -> bool {
    started < docker && exited.plus(DOCKER_STOPS) >= docker && exited <= docker.plus(DOCKER_FINDS)
}

/// How a container has exited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    /// Its exit code (`State.ExitCode`).
    pub(crate) code: i64,
    /// Whether the kernel killed a process of it for exceeding the memory limit (`State.OOMKilled`).
    pub(crate) out_of_memory: bool,
    /// Whether it ended because Docker did: its daemon, or the host, was restarted.
    pub(crate) by_docker: bool,
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

    /// Whether the lack of memory ended its main process. Docker's flag alone does not say that: it is set for any process of
    /// the container, and the main one may go on, or end by itself long after.
    pub(crate) fn is_killed_for_memory(&self) -> bool {
        self.out_of_memory && self.code == KILLED
    }

    /// What ends a task whose essential container exited like this.
    pub(crate) fn cause(&self) -> StopCause {
        if self.by_docker {
            StopCause::DockerRestarted
        } else if self.is_killed_for_memory() {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i64, out_of_memory: bool) -> Exit {
        let (at, ran) = (Timestamp::EPOCH, Duration::ZERO);
        Exit { code, out_of_memory, by_docker: false, at, ran, log_tail: None }
    }

    #[test]
    fn an_exit_is_explained_by_what_ended_the_main_process() {
        assert_eq!(exit(137, true).cause(), StopCause::OutOfMemory);
        assert_eq!(exit(0, true).cause(), StopCause::ContainerExited, "a child was killed");
        assert_eq!(exit(137, false).cause(), StopCause::ContainerExited);
        let by_docker = Exit { by_docker: true, ..exit(137, true) };
        assert_eq!(by_docker.cause(), StopCause::DockerRestarted);
    }

    #[test]
    fn what_ended_around_a_start_of_docker_ended_with_it() {
        let at = |seconds| Timestamp::EPOCH.plus(Duration::from_secs(seconds));
        let docker = at(10_000);
        assert!(is_by_docker(at(5_000), at(9_995), docker), "stopped by it");
        assert!(is_by_docker(at(5_000), at(10_002), docker), "found by it");
        assert!(!is_by_docker(at(5_000), at(9_000), docker), "long before");
        assert!(!is_by_docker(at(5_000), at(10_100), docker), "long after");
        assert!(!is_by_docker(at(10_001), at(10_002), docker), "started by it");
    }
}
