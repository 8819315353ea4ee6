//! Processes of roles: started in a session of their own with a log file, or found running and watched all the same.

use std::fs::{File, OpenOptions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use config::{Config, Flags};
use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::unix::AsyncFd;

use super::Plan;
use crate::control;
use crate::failure::Failure;
use crate::layout::{Layout, Part};

/// A log file that has grown longer than this is set aside before a role starts.
const LONG_LOG: u64 = 16 * 1024 * 1024;
/// How long a role may take to end before it is killed: longer than a router drains.
const END: Duration = Duration::from_secs(20);
/// How long the kernel may take to end a killed process.
const KILLED: Duration = Duration::from_secs(5);

/// A running role.
#[derive(Debug)]
pub(crate) struct Process {
    part: Part,
    pid: i32,
    child: Option<tokio::process::Child>,
    /// Becomes readable when the process has ended; survives that its number is given to another.
    handle: AsyncFd<OwnedFd>,
}

impl Process {
    /// Starts a role.
    pub(crate) fn spawn(part: Part, plan: &Plan, token: Option<&str>) -> Result<Self, Failure> {
        let log = log_file(&plan.layout, part)?;
        let mut command = tokio::process::Command::new(&plan.program);
        command.arg(part.name()).arg("--supervised").args(&plan.arguments);
        // Few threads allocate at once; an arena for each would only keep memory.
        command.env("MALLOC_ARENA_MAX", "2");
        if plan.config.link.server.is_none() {
            command.env_remove("BERTH_JOIN_TOKEN");
        }
        if let Some(token) = token {
            command.env("BERTH_JOIN_TOKEN", token);
        }
        let stderr = log.try_clone().map_err(Failure::file(&plan.layout.log(part)))?;
        let command = command.stdin(Stdio::null()).stdout(log).stderr(stderr);
        std::fs::remove_file(plan.layout.run_file(part, "failure")).ok();
        let child = command.spawn().map_err(Failure::part(&format!("cannot start the {part}")))?;
        let pid = child.id().map_or(0, u32::cast_signed);
        let process = Self::watch(part, pid)?;
        Ok(Self { child: Some(child), ..process })
    }

    /// Watches a role that somebody else has started.
    #[expect(
        deprecated,
        reason = "unsound only where a type changes its descriptor, and an OwnedFd never does; the way around it is unsafe code"
    )]
    pub(crate) fn watch(part: Part, pid: i32) -> Result<Self, Failure> {
        let what = format!("cannot watch the {part}");
        let found = Pid::from_raw(pid).ok_or_else(|| Failure::Said(what.clone()))?;
        let handle = rustix::process::pidfd_open(found, PidfdFlags::NONBLOCK);
        let handle = handle.map_err(Failure::part(&what))?;
        let handle = AsyncFd::with_interest(handle, tokio::io::Interest::READABLE);
        Ok(Self { part, pid, child: None, handle: handle.map_err(Failure::part(&what))? })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Returns when it has ended, with how if that can be known.
    pub(crate) async fn ended(&mut self) -> String {
        if let Some(child) = &mut self.child {
            return child
                .wait()
                .await
                .map_or_else(|error| error.to_string(), |how| how.to_string());
        }
        match self.handle.readable().await {
            Ok(_) => "it has ended".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    /// Ends it: asks first, kills when it does not listen.
    pub(crate) async fn end(mut self, layout: &Layout) {
        let (part, layout) = (self.part, layout.clone());
        let asked = tokio::task::spawn_blocking(move || control::stop(&layout, part)).await;
        if !matches!(asked, Ok(Ok(()))) {
            self.signal(Signal::TERM);
        }
        if tokio::time::timeout(END, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            tokio::time::timeout(KILLED, self.ended()).await.ok();
        }
    }

    fn signal(&self, signal: Signal) {
        // One that has ended in between needs no signal.
        rustix::process::pidfd_send_signal(self.handle.get_ref(), signal).ok();
    }
}

/// This program, to start again as a role.
pub(crate) fn program() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    // A program that was replaced on disk while it runs still starts roles of its own kind.
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or(own)
}

/// Whether the process runs the same program file as this one.
pub(crate) fn is_this_program(pid: i32) -> bool {
    let file = |of: &str| {
        let file = std::fs::metadata(format!("/proc/{of}/exe")).ok()?;
        Some((file.dev(), file.ino()))
    };
    file("self").is_some_and(|own| file(&pid.to_string()) == Some(own))
}

/// The part of the command line that says the configuration, for a process that may run in another directory.
pub(crate) fn arguments(config: &Config, flags: &Flags) -> Vec<String> {
    let mut arguments = vec!["--data-dir".to_owned(), config.data_dir.display().to_string()];
    if let Some(file) = flags.file.as_ref().and(config.file.as_ref()) {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        arguments.extend(["--config".to_owned(), file.display().to_string()]);
    }
    for (key, value) in &flags.settings {
        // Tokens are not for other users' eyes, and no role needs those of commands.
        if key != "token" && key != "url" && key != "join_token" {
            arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
    }
    arguments
}

/// The log file of a part, to write at its end.
pub(crate) fn log_file(layout: &Layout, part: Part) -> Result<File, Failure> {
    let path = layout.log(part);
    if std::fs::metadata(&path).is_ok_and(|log| log.len() > LONG_LOG) {
        std::fs::rename(&path, path.with_extension("log.1")).map_err(Failure::file(&path))?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    file.map_err(Failure::file(&path))
}

/// Why a part that has ended did so, as far as it could say.
pub(crate) fn failure(layout: &Layout, part: Part) -> Option<String> {
    std::fs::read_to_string(layout.run_file(part, "failure")).ok()
}

/// Makes room for a role: ends a process that has its place, whatever state that is in.
pub(crate) async fn make_room(layout: &Layout, part: Part) -> Result<(), Failure> {
    let lock = layout.run_file(part, "lock");
    let free =
        || disk::Lock::acquire(&lock).map(|held| held.is_some()).map_err(Failure::file(&lock));
    if free()? {
        return Ok(());
    }
    if let Some(pid) = crate::role::pid(layout, part)
        && let Ok(process) = Process::watch(part, pid)
    {
        process.end(layout).await;
    }
    let gone = async {
        while !free()? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(KILLED, gone).await.unwrap_or_else(|_late| {
        Err(Failure::Taken(format!("another {part} holds `{}` and does not end", lock.display())))
    })
}
