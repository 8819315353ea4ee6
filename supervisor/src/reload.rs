//! SIGHUP to `berth up`: it becomes the program and takes up the configuration that are there now, under the same process id.
//! Roles that agree with them go on, others are replaced. What does not work is not taken up.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use config::{Config, Flags};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{RoleError, Step};
use crate::listen;
use crate::role_command::RoleCommand;
use crate::sentences;

/// Hears SIGHUP, from its making on.
#[derive(Debug)]
pub(crate) struct Requests(Option<Signal>);

impl Requests {
    /// Where a person sits at the terminal, SIGHUP says that the terminal is gone, and ends the process as ever.
    pub(crate) fn listen() -> Self {
        if rustix::termios::isatty(std::io::stdin()) {
            return Self(None);
        }
        let hangup = signal(SignalKind::hangup());
        Self(hangup.inspect_err(|error| tracing::warn!(%error, "SIGHUP ends this process")).ok())
    }

    /// Returns when somebody asks for it.
    pub(crate) async fn next(&mut self) {
        let heard = match &mut self.0 {
            Some(hangup) => hangup.recv().await,
            None => None,
        };
        if heard.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether program and configuration work, as far as that can be told before they are taken up.
pub(crate) async fn works(with: &RoleCommand, flags: &Flags) -> bool {
    let why = match check(with).await {
        Ok(()) => taken(&with.config, flags).map(|error| error.sentence()),
        Err(why) => Some(why),
    };
    if let Some(why) = &why {
        terminal::note(&sentences::not_reloading(why));
    }
    why.is_none()
}

/// Asks the program that is there now what it says to the configuration.
async fn check(with: &RoleCommand) -> Result<(), String> {
    let mut check = tokio::process::Command::new(invoked().get_program());
    check.args(["config", "check"]).args(&with.arguments).stdin(Stdio::null());
    match check.output().await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Why one of the addresses that are new in the configuration cannot be listened on.
fn taken(now: &Config, flags: &Flags) -> Option<RoleError> {
    // What only the other program can read, it has read.
    let next = config::load(flags).ok()?;
    let addresses = |of: &Config| {
        [
            ("registry.listen", of.registry_listen),
            ("admin.listen", of.admin_listen),
            ("link.listen", of.link.listen),
            ("router.listen", of.router.listen),
        ]
    };
    let known = addresses(now);
    let mut new = addresses(&next).into_iter().filter(|one| !known.contains(one));
    new.find_map(|(key, address)| listen::bind(key, address, None).err())
}

/// Becomes the program; returns only where that fails.
pub(crate) fn exec() -> RoleError {
    let mut command = invoked();
    command.args(std::env::args_os().skip(1));
    RoleError::step(Step::Reload)(command.exec())
}

/// The program by the name that this one was invoked with: there may lie another one by now.
fn invoked() -> Command {
    Command::new(std::env::args_os().next().unwrap_or_else(|| "/proc/self/exe".into()))
}
