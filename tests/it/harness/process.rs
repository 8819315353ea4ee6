//! Signals to processes of a test.

use rustix::process::{Pid, Signal, kill_process};

/// A process that is stopped in its tracks, as if its host were hung; goes on when this is dropped.
#[derive(Debug)]
pub(crate) struct Paused(i32);

impl Drop for Paused {
    fn drop(&mut self) {
        signal(self.0, Signal::CONT);
    }
}

impl Paused {
    /// Stops a process.
    pub(crate) fn new(pid: i32) -> Self {
        signal(pid, Signal::STOP);
        Self(pid)
    }
}

/// SIGKILL to a process of this test.
pub(crate) fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a pid is positive");
    // One that has ended already needs no signal.
    kill_process(pid, signal).ok();
}
