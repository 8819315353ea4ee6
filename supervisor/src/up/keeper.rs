//! Keeps one role running: adopts or starts it, sees when it is ready, and starts it again when it has ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::backoff::Backoff;
use super::process::{self, Process};
use super::{Plan, agrees, join};
use crate::clock::Stopwatch;
use crate::control::{self, Status};
use crate::endpoints::Endpoints;
use crate::failure::Failure;
use crate::layout::Part;

/// How often a role that has been started is asked whether it is ready.
const ASK: Duration = Duration::from_millis(10);
/// How often one that is ready is asked whether it still is.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// How a role is seen from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It does its work.
    pub(crate) ready: bool,
    /// Why it ended the last time, if it said so and has not become ready since.
    pub(crate) said: Option<String>,
}

/// The keeper of one role.
#[derive(Debug)]
pub(crate) struct Keeper {
    part: Part,
    plan: Arc<Plan>,
    seen: watch::Sender<Seen>,
    server: watch::Receiver<Seen>,
    token: Option<String>,
    told: Option<String>,
    was_ready: bool,
}

/// Why a role is not watched any longer.
enum End {
    /// By itself.
    Ended(String),
    /// It dials a server that is elsewhere now.
    Stray,
}

impl Keeper {
    /// For one role; `server` is how the server is seen.
    pub(crate) fn new(
        part: Part,
        plan: Arc<Plan>,
        seen: watch::Sender<Seen>,
        server: watch::Receiver<Seen>,
    ) -> Self {
        Self { part, plan, seen, server, token: None, told: None, was_ready: false }
    }

    /// Keeps the role running until `stop`, then ends it.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let ran = Stopwatch::default();
            let started = tokio::select! {
                started = self.start() => started,
                () = stop.cancelled() => return self.abandon().await,
            };
            let ended = match started {
                Ok(mut process) => {
                    let end = tokio::select! {
                        end = self.watch(&mut process) => end,
                        () = stop.cancelled() => return process.end(&self.plan.layout).await,
                    };
                    match end {
                        End::Ended(how) => how,
                        End::Stray => {
                            self.seen.send_modify(|seen| seen.ready = false);
                            process.end(&self.plan.layout).await;
                            continue;
                        }
                    }
                }
                Err(failure) => failure.sentence(),
            };
            let said = process::failure(&self.plan.layout, self.part);
            let pause = backoff.after(ran.whole());
            self.tell(said, &ended, pause);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// A role that was being started when the end came.
    async fn abandon(&self) {
        let pid = crate::role::pid(&self.plan.layout, self.part);
        if let Some(Ok(process)) = pid.map(|pid| Process::watch(self.part, pid))
            && process::is_this_program(process.pid())
        {
            process.end(&self.plan.layout).await;
        }
    }

    /// Adopts a role that runs as it should, else starts one.
    async fn start(&mut self) -> Result<Process, Failure> {
        if let Some(status) = self.status().await {
            if agrees(self.part, &self.plan.config, &status) {
                let process = Process::watch(self.part, status.pid)?;
                terminal::note(&format!(
                    "{} runs already (pid {}); keeping it",
                    self.part, status.pid
                ));
                return Ok(process);
            }
            terminal::note(&format!(
                "{} runs with another version or configuration (pid {}); replacing it",
                self.part, status.pid
            ));
        }
        process::make_room(&self.plan.layout, self.part).await?;
        if self.part != Part::Server && !join::has_joined(&self.plan, self.part) {
            self.find_token().await?;
        }
        let process = Process::spawn(self.part, &self.plan, self.token.as_deref())?;
        tracing::debug!(pid = process.pid(), "started the {}", self.part);
        Ok(process)
    }

    async fn find_token(&mut self) -> Result<(), Failure> {
        // Somebody who names a server brings the token for it too.
        if self.token.is_none() && self.plan.config.link.server.is_none() {
            // The sender lives as long as the supervisor.
            self.server.wait_for(|server| server.ready).await.ok();
            self.token = Some(join::token(&self.plan, self.part).await?);
        }
        Ok(())
    }

    /// Watches a running role until it has ended.
    async fn watch(&mut self, process: &mut Process) -> End {
        loop {
            let status = self.status().await;
            let ready = status.as_ref().is_some_and(|status| status.ready);
            if status.is_some_and(|status| self.is_stray(&status)) {
                return End::Stray;
            }
            if ready && !self.seen.borrow().ready {
                self.was_ready = true;
                self.told = None;
                self.seen.send_replace(Seen { ready: true, said: None });
            }
            let pause = if ready { ASK_AGAIN } else { ASK };
            tokio::select! {
                how = process.ended() => return End::Ended(how),
                changed = self.server.changed(), if self.part != Part::Server => drop(changed),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Whether the role dials an address where the server is no longer.
    fn is_stray(&self, status: &Status) -> bool {
        let Some(dialled) = &status.server else { return false };
        if self.plan.config.link.server.is_some() || !self.server.borrow().ready {
            return false;
        }
        let link = Endpoints::read(&self.plan.layout).link;
        link.is_some_and(|link| link.to_string() != *dialled)
    }

    async fn status(&self) -> Option<Status> {
        let (layout, part) = (self.plan.layout.clone(), self.part);
        tokio::task::spawn_blocking(move || control::status(&layout, part)).await.ok().flatten()
    }

    /// Tells people once per cause, and forgets a token that the server did not take.
    fn tell(&mut self, said: Option<String>, ended: &str, pause: Duration) {
        let why = said.clone().unwrap_or_else(|| ended.to_owned());
        if why.contains("token") {
            self.token = None;
        }
        // Why a role cannot start at all is told by `up`, where it ends with that or in its summary.
        let told_by_up = !self.was_ready && self.told.is_none() && said.is_some();
        if told_by_up {
            self.told = Some(why);
        } else if self.told.as_ref() != Some(&why) {
            let again = match pause {
                Duration::ZERO => "starting it again".to_owned(),
                _ => "trying again and again".to_owned(),
            };
            terminal::note(&format!("{} has ended: {why}; {again}", self.part));
            self.told = Some(why);
        }
        self.seen.send_modify(|seen| {
            seen.ready = false;
            seen.said = said.or_else(|| seen.said.take());
        });
    }
}
