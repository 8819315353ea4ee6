//! Supervises one role: adopts or starts it, sees when it is ready, and starts it again when it has ended.

use std::sync::Arc;
use std::time::Duration;

use model::Backoff;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Stopwatch;
use crate::control_socket::{self, Status};
use crate::endpoints::Endpoints;
use crate::error::RoleError;
use crate::failure::{FailureKind, RoleFailure};
use crate::listen;
use crate::listeners::Listeners;
use crate::process::{self, Process};
use crate::role_command::{RoleCommand, is_this_program};
use crate::role_kind::RoleKind;
use crate::{join_token, role, sentences, systemd};

/// How often a role that has been started is asked whether it is ready.
const ASK: Duration = Duration::from_millis(10);
/// How often one that is ready is asked whether it still is.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is known of a role from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It does its work.
    pub(crate) ready: bool,
    /// Why it ended the last time, if it left that and has not become ready since.
    pub(crate) failure: Option<RoleFailure>,
}

/// The supervisor of one role.
#[derive(Debug)]
pub(crate) struct RoleSupervisor {
    role: RoleKind,
    command: Arc<RoleCommand>,
    seen: watch::Sender<Seen>,
    server: watch::Receiver<Seen>,
    listeners: Listeners,
    join_token: Option<String>,
    /// The reason that people were told last.
    told: Option<String>,
    was_ready: bool,
    /// The process that the one that runs relieves, until that is ready.
    before: Option<Process>,
}

/// Why a process is not watched any longer.
enum WatchEnd {
    /// It has ended; how, for people.
    Exited(String),
    /// It dials an address where the server is no longer.
    ServerMoved,
}

impl RoleSupervisor {
    /// For one role; `server` is how the server is seen, and `listeners` what outlives the role's processes.
    pub(crate) fn new(
        role: RoleKind,
        command: Arc<RoleCommand>,
        seen: watch::Sender<Seen>,
        server: watch::Receiver<Seen>,
        listeners: Listeners,
    ) -> Self {
        Self {
            role,
            command,
            seen,
            server,
            listeners,
            join_token: None,
            told: None,
            was_ready: false,
            before: None,
        }
    }

    /// Keeps the role running until `stop`, then ends it.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut restarts = Restarts::default();
        loop {
            let ran = Stopwatch::default();
            let started = tokio::select! {
                started = self.start() => started,
                () = stop.cancelled() => return self.abandon().await,
            };
            let (how, failed) = match started {
                Ok(mut process) => {
                    let end = tokio::select! {
                        end = self.watch(&mut process) => end,
                        () = stop.cancelled() => return process.end(&self.command.layout).await,
                    };
                    match end {
                        WatchEnd::Exited(how) => (how, None),
                        WatchEnd::ServerMoved => {
                            self.seen.send_modify(|seen| seen.ready = false);
                            process.end(&self.command.layout).await;
                            continue;
                        }
                    }
                }
                // What the role would have left had it been the one that listens.
                Err(error @ RoleError::Listen { .. }) => (error.sentence(), Some(error.failure())),
                Err(error) => (error.sentence(), None),
            };
            let failure =
                failed.or_else(|| RoleFailure::read(&self.command.layout.failure(self.role)));
            let pause = restarts.pause(ran.whole(), self.seen.borrow().ready, rand::random());
            self.has_ended(failure, how, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// Ends a role that was being started when the end came.
    async fn abandon(&self) {
        let pid = role::pid(&self.command.layout, self.role);
        if let Some(Ok(process)) = pid.map(|pid| Process::watch(self.role, pid))
            && is_this_program(process.pid())
        {
            process.end(&self.command.layout).await;
        }
    }

    /// Adopts a role that runs as it should, else starts one. A router relieves the one that runs, so that somebody
    /// accepts and answers all the time.
    async fn start(&mut self) -> Result<Process, RoleError> {
        self.before = None;
        if let Some(status) = self.status().await {
            self.take_over_listeners().await;
            if self.agrees(&status) {
                let process = Process::watch(self.role, status.pid)?;
                terminal::note(&sentences::keeping(self.role, status.pid));
                return Ok(process);
            }
            terminal::note(&sentences::replacing(self.role, status.pid));
            if self.role == RoleKind::Router && (status.ready || status.relieved) {
                self.before = Some(Process::watch(self.role, status.pid)?);
            }
        }
        if self.before.is_none() {
            process::make_room(&self.command.layout, self.role).await?;
        }
        self.listen()?;
        if join_token::is_needed(&self.command, self.role) {
            self.find_join_token().await?;
        }
        let configured = self.command.config.join_token.as_deref();
        let token = configured.or(self.join_token.as_deref());
        let token = token.filter(|_| join_token::is_needed(&self.command, self.role));
        let process = Process::spawn(self.role, &self.command, token, self.before.is_some())?;
        tracing::debug!(pid = process.pid(), "started the {}", self.role);
        Ok(process)
    }

    /// Gets back what the running role listens on: the supervisor that kept it was killed.
    async fn take_over_listeners(&self) {
        if self.role != RoleKind::Router {
            return;
        }
        let (layout, listeners) = (self.command.layout.clone(), self.listeners.clone());
        let role = self.role;
        let taken = tokio::task::spawn_blocking(move || {
            control_socket::take_over(&layout, role, &listeners)
        });
        if let Ok(Err(error)) = taken.await {
            tracing::warn!(%error, "cannot keep what the {role} listens on");
        }
    }

    /// Listens for the role, so that nobody is refused while a process of it is started.
    fn listen(&self) -> Result<(), RoleError> {
        let wanted = self.command.config.router.listen;
        if self.role != RoleKind::Router || self.listeners.get(wanted).is_some() {
            return Ok(());
        }
        let last = Endpoints::read(&self.command.layout).router;
        let listener = listen::bind("router.listen", wanted, last)?;
        systemd::store(&listener);
        self.listeners.keep(wanted, listener);
        Ok(())
    }

    /// Whether a running role is one that this program would start: the same program with the same configuration.
    fn agrees(&self, status: &Status) -> bool {
        !status.relieved
            && status.version == role::VERSION
            && status.configuration == role::configuration(self.role, &self.command.config)
            && is_this_program(status.pid)
    }

    async fn find_join_token(&mut self) -> Result<(), RoleError> {
        // Who names another server brings a token of it too.
        if self.join_token.is_none() && self.command.config.link.server.is_none() {
            // The sender lives as long as the supervisor.
            self.server.wait_for(|server| server.ready).await.ok();
            self.join_token = join_token::make(&self.command, self.role).await?;
        }
        Ok(())
    }

    /// Watches a running role until it has ended.
    async fn watch(&mut self, process: &mut Process) -> WatchEnd {
        loop {
            // While one process relieves another, it is that one that answers.
            let status = self.status().await.filter(|status| status.pid == process.pid());
            let ready = status.as_ref().is_some_and(|status| status.ready);
            if status.is_some_and(|status| self.server_moved(&status)) {
                return WatchEnd::ServerMoved;
            }
            if ready && !self.seen.borrow().ready {
                self.was_ready = true;
                self.told = None;
                if let Some(before) = self.before.take() {
                    tokio::spawn(before.outlive());
                }
                if self.role == RoleKind::Router {
                    self.listeners.forget_all_but(&[self.command.config.router.listen]);
                    systemd::close_others();
                }
                self.seen.send_replace(Seen { ready: true, failure: None });
            }
            let pause = if ready { ASK_AGAIN } else { ASK };
            tokio::select! {
                how = process.ended() => return WatchEnd::Exited(how),
                changed = self.server.changed(), if self.role != RoleKind::Server => drop(changed),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Whether the role dials an address where the server is no longer.
    fn server_moved(&self, status: &Status) -> bool {
        let Some(dialled) = &status.server else { return false };
        if self.command.config.link.server.is_some() || !self.server.borrow().ready {
            return false;
        }
        let link = Endpoints::read(&self.command.layout).link;
        link.is_some_and(|link| link.to_string() != *dialled)
    }

    async fn status(&self) -> Option<Status> {
        let (layout, role) = (self.command.layout.clone(), self.role);
        tokio::task::spawn_blocking(move || control_socket::status(&layout, role))
            .await
            .ok()
            .flatten()
    }

    /// Tells people once per cause, and forgets a join token that the server did not take.
    fn has_ended(&mut self, failure: Option<RoleFailure>, how: String, pause: Duration) {
        if failure.as_ref().is_some_and(|failure| wants_another_token(failure.kind)) {
            self.join_token = None;
        }
        // Why a role cannot start at all is told by `up`, where it ends with that or in its summary.
        let told_by_up = !self.was_ready && self.told.is_none() && failure.is_some();
        let why = failure.as_ref().map_or(how, |failure| failure.message.clone());
        if !told_by_up && self.told.as_ref() != Some(&why) {
            terminal::note(&sentences::restarting(self.role, &why, pause));
        }
        self.told = Some(why);
        self.seen.send_modify(|seen| {
            seen.ready = false;
            seen.failure = failure.or_else(|| seen.failure.take());
        });
    }
}

/// Whether another join token may help.
fn wants_another_token(kind: FailureKind) -> bool {
    match kind {
        FailureKind::JoinRefused { code } => code.needs_new_token(),
        // The token is of a server whose data directory this was before.
        FailureKind::WrongServer => true,
        FailureKind::Configuration
        | FailureKind::AddressInUse
        | FailureKind::DataDirectoryTaken
        | FailureKind::StoreUnavailable
        | FailureKind::DockerUnreachable
        | FailureKind::Other => false,
    }
}

/// How long to wait before a role is started again: not at all the first time, so that a killed one is back at once, then
/// longer and longer, until it has run for a while. One that did its work waits only shortly, however often it ends.
#[derive(Debug, Default)]
struct Restarts {
    /// How often in a row it ended soon after its start.
    in_a_row: u32,
}

impl Restarts {
    /// At its longest it is short enough that a role is back within 10 s of what it waits for, as room on the disk.
    const BACKOFF: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(8));
    /// A role that ran for this long was fine.
    const FINE: Duration = Duration::from_secs(20);

    /// The pause after a role that ran for so long.
    fn pause(&mut self, ran: Duration, was_ready: bool, random: u64) -> Duration {
        if ran >= Self::FINE {
            self.in_a_row = 0;
        } else if was_ready {
            self.in_a_row = self.in_a_row.min(1);
        }
        let pause = Self::BACKOFF.after(self.in_a_row, random);
        self.in_a_row = self.in_a_row.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use link::RefusalCode;

    use super::*;

    #[test]
    fn only_a_refused_token_is_replaced() {
        let refused = |code| wants_another_token(FailureKind::JoinRefused { code });
        assert!(refused(RefusalCode::TokenUsedUp));
        assert!(!refused(RefusalCode::PeerRemoved));
        assert!(!wants_another_token(FailureKind::DockerUnreachable));
    }

    #[test]
    fn a_killed_role_is_back_at_once_and_a_broken_one_is_not_tried_without_end() {
        let mut restarts = Restarts::default();
        let short = Duration::from_millis(10);
        assert_eq!(restarts.pause(short, false, u64::MAX), Duration::ZERO);
        assert_eq!(restarts.pause(short, false, u64::MAX), Duration::from_millis(250));
        assert_eq!(restarts.pause(short, false, u64::MAX), Duration::from_millis(500));
        for _ in 0..20 {
            restarts.pause(short, false, u64::MAX);
        }
        assert_eq!(restarts.pause(short, false, u64::MAX), Restarts::BACKOFF.longest());
        assert_eq!(restarts.pause(short, true, u64::MAX), Duration::from_millis(250));
        assert_eq!(restarts.pause(short, true, u64::MAX), Duration::from_millis(250));
        assert_eq!(restarts.pause(Restarts::FINE, true, u64::MAX), Duration::ZERO);
    }
}
