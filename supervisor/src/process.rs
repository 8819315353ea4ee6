//! Processes of roles: started in a session of their own with a log file, or found running and watched all the same.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};
use tokio::io::unix::AsyncFd;

use crate::control_socket;
use crate::error::{RoleError, Step};
use crate::failure::RoleFailure;
use crate::layout::Layout;
use crate::role::{self, END};
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;
use crate::sentences;

/// How long a relieved role may take: longer than a router lets requests end that are in nobody's way.
const RELIEVED: Duration = Duration::from_mins(1);
/// How long the kernel may take to end a killed process.
const KILLED: Duration = Duration::from_secs(5);

/// A running role.
#[derive(Debug)]
pub(crate) struct Process {
    role: RoleKind,
    pid: i32,
    child: Option<tokio::process::Child>,
    /// Becomes readable when the process has ended; survives that its number is given to another.
    handle: AsyncFd<OwnedFd>,
}

impl Process {
    /// Starts a role; `relieves` the process that has it.
    pub(crate) fn spawn(
        role: RoleKind,
        with: &RoleCommand,
        token: Option<&str>,
        relieves: bool,
    ) -> Result<Self, RoleError> {
        let mut command = tokio::process::Command::new(&with.program);
        command.arg(role.name()).arg("--supervised").args(&with.arguments);
        if relieves {
            command.arg("--relieve");
        }
        // Few threads allocate at once; an arena for each would only keep memory.
        command.env("MALLOC_ARENA_MAX", "2");
        // A process shows its environment for as long as it runs, and the token is needed once.
        command.env_remove("BERTH_JOIN_TOKEN");
        let stdin = match token {
            Some(token) => {
                command.arg("--join-token-on-stdin");
                piped(token).map_err(RoleError::step(Step::StartRole(role)))?
            }
            None => Stdio::null(),
        };
        let (stdout, stderr) = with.streams(role);
        let command = command.stdin(stdin).stdout(stdout).stderr(stderr);
        RoleFailure::remove(&with.layout.failure(role)).ok();
        let child = command.spawn().map_err(RoleError::step(Step::StartRole(role)))?;
        let pid = child.id().map_or(0, u32::cast_signed);
        let process = Self::watch(role, pid)?;
        Ok(Self { child: Some(child), ..process })
    }

    /// Watches a role that another process has started.
    #[expect(
        deprecated,
        reason = "unsound only where a type changes its descriptor, and an OwnedFd never does; the way around it is unsafe code"
    )]
    pub(crate) fn watch(role: RoleKind, pid: i32) -> Result<Self, RoleError> {
        let found = Pid::from_raw(pid).ok_or(RoleError::NoProcess { role })?;
        let handle = rustix::process::pidfd_open(found, PidfdFlags::NONBLOCK);
        let handle = handle.map_err(RoleError::step(Step::WatchRole(role)))?;
        let handle = AsyncFd::with_interest(handle, tokio::io::Interest::READABLE);
        let handle = handle.map_err(RoleError::step(Step::WatchRole(role)))?;
        Ok(Self { role, pid, child: None, handle })
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
                .map_or_else(|error| error.to_string(), |status| status.to_string());
        }
        match self.handle.readable().await {
            Ok(_) => {
                // One that was started before this process became another program is still its child.
                let pid = Pid::from_raw(self.pid);
                rustix::process::waitpid(pid, rustix::process::WaitOptions::NOHANG).ok();
                sentences::ended_unseen()
            }
            Err(error) => error.to_string(),
        }
    }

    /// Ends it: asks first, kills when it does not end by itself.
    pub(crate) async fn end(mut self, layout: &Layout) {
        let (role, layout) = (self.role, layout.clone());
        let asked = tokio::task::spawn_blocking(move || control_socket::stop(&layout, role)).await;
        if !matches!(asked, Ok(Ok(()))) {
            self.signal(Signal::TERM);
        }
        if tokio::time::timeout(END, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            tokio::time::timeout(KILLED, self.ended()).await.ok();
        }
    }

    /// Sees a relieved one to its end.
    pub(crate) async fn outlive(mut self) {
        if tokio::time::timeout(RELIEVED, self.ended()).await.is_err() {
            self.signal(Signal::KILL);
            tokio::time::timeout(KILLED, self.ended()).await.ok();
        }
    }

    fn signal(&self, signal: Signal) {
        // One that has ended in between needs no signal.
        rustix::process::pidfd_send_signal(self.handle.get_ref(), signal).ok();
    }
}

/// Standard input that holds a short text.
fn piped(text: &str) -> io::Result<Stdio> {
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(text.as_bytes())?;
    Ok(reader.into())
}

/// Makes room for a role: ends a process that has its place, whatever state that is in.
pub(crate) async fn make_room(layout: &Layout, role: RoleKind) -> Result<(), RoleError> {
    let lock = layout.run_file(role, "lock");
    let free =
        || disk::Lock::acquire(&lock).map(|held| held.is_some()).map_err(RoleError::file(&lock));
    if free()? {
        return Ok(());
    }
    if let Some(pid) = role::pid(layout, role)
        && let Ok(process) = Process::watch(role, pid)
    {
        process.end(layout).await;
    }
    let gone = async {
        while !free()? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    };
    tokio::time::timeout(KILLED, gone)
        .await
        .unwrap_or_else(|_late| Err(RoleError::DoesNotEnd { role, lock: lock.clone() }))
}
