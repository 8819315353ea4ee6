//! All roles of this machine, each with a supervisor of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::RoleError;
use crate::listeners::Listeners;
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;
use crate::role_supervisor::{RoleSupervisor, Seen};

/// How long everything may take to become ready.
pub(crate) const READY: Duration = Duration::from_mins(1);

/// The supervisors of all roles.
pub(crate) struct Supervisor {
    roles: Vec<Supervised>,
}

struct Supervised {
    role: RoleKind,
    seen: watch::Receiver<Seen>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Supervisor {
    /// Begins to start them.
    pub(crate) fn start(command: &Arc<RoleCommand>, listeners: &Listeners) -> Self {
        let server = watch::Sender::new(Seen::default());
        let server_seen = server.subscribe();
        let roles = RoleKind::SUPERVISED.map(|role| {
            let seen = match role {
                RoleKind::Server => server.clone(),
                RoleKind::Agent | RoleKind::Router | RoleKind::Supervisor => {
                    watch::Sender::new(Seen::default())
                }
            };
            let stop = CancellationToken::new();
            let watch = seen.subscribe();
            let one = RoleSupervisor::new(
                role,
                Arc::clone(command),
                seen,
                server_seen.clone(),
                listeners.clone(),
            );
            let task = tokio::spawn(one.run(stop.clone()));
            Supervised { role, seen: watch, stop, task }
        });
        Self { roles: roles.into() }
    }

    /// Returns when server and router are ready, and the agent is or has left why not. A server or router that cannot
    /// run at all is an error; one that ends later is only started again.
    pub(crate) async fn started(&mut self, command: &RoleCommand) -> Result<(), RoleError> {
        let all = async {
            for one in &mut self.roles {
                let settled = one.seen.wait_for(|seen| seen.ready || seen.failure.is_some()).await;
                let failure = settled.ok().and_then(|seen| seen.failure.clone());
                match (failure, one.role) {
                    (
                        Some(failure),
                        role @ (RoleKind::Server | RoleKind::Router | RoleKind::Supervisor),
                    ) => return Err(RoleError::CannotRun { role, failure }),
                    (Some(_), RoleKind::Agent) | (None, _) => {}
                }
            }
            Ok(())
        };
        let waited = tokio::time::timeout(READY, all).await;
        waited.unwrap_or_else(|_late| Err(RoleError::NotReady { logs: command.layout.logs() }))
    }

    /// Ends agent and router first, so that the server hears of it.
    pub(crate) async fn end(self) {
        let (server, peers): (Vec<_>, Vec<_>) =
            self.roles.into_iter().partition(|one| one.role == RoleKind::Server);
        for group in [peers, server] {
            for one in &group {
                one.stop.cancel();
            }
            for one in group {
                one.task.await.ok();
            }
        }
    }
}
