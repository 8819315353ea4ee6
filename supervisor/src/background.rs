//! Starts `berth up` in the background and waits until it is ready.

use std::process::Stdio;
use std::time::Duration;

use config::{Config, Flags};

use crate::clock::Stopwatch;
use crate::control_socket;
use crate::error::{RoleError, Step};
use crate::failure::RoleFailure;
use crate::layout::Layout;
use crate::role;
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;
use crate::supervisor;

const ROLE: RoleKind = RoleKind::Supervisor;
/// How often it is asked whether it is ready.
const ASK: Duration = Duration::from_millis(20);

/// Starts it, with the configuration of this process.
pub(crate) fn start(config: &Config, flags: &Flags) -> Result<(), RoleError> {
    let with = RoleCommand::new(config, flags);
    let layout = &with.layout;
    layout.create()?;
    if is_ready(layout) {
        return Err(role::already_runs(layout, ROLE));
    }
    RoleFailure::remove(&layout.failure(ROLE)).ok();
    let mut command = std::process::Command::new(&with.program);
    command.args(["up", "--background"]).args(&with.arguments);
    let (stdout, stderr) = with.streams(ROLE);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let mut child = command.spawn().map_err(RoleError::step(Step::StartBackground))?;
    let watch = Stopwatch::default();
    while !is_ready(layout) {
        if let Ok(Some(status)) = child.try_wait() {
            let failure = RoleFailure::read(&layout.failure(ROLE));
            return Err(RoleError::BackgroundEnded { failure, status });
        }
        if watch.whole() > supervisor::READY {
            return Err(RoleError::BackgroundLate { log: layout.log(ROLE) });
        }
        std::thread::sleep(ASK);
    }
    Ok(())
}

fn is_ready(layout: &Layout) -> bool {
    control_socket::status(layout, ROLE).is_some_and(|up| up.ready)
}
