//! `berth down`: stops every task of this instance, or of all of them, then every process of this data directory, whoever
//! started it. Services, rules and all else that people made stay: the next `berth up` brings them back.
//!
//! Tasks are stopped the way they always are: out of rotation first, then their containers. So what is needed for that is
//! started if it does not run.

use std::time::Duration;

use api::ProblemCode;
use api::client::{CallError, Client};
use config::{Config, Flags};
use model::InstanceId;
use terminal::Progress;

use crate::error::{RoleError, Step};
use crate::layout::Layout;
use crate::role_kind::RoleKind;
use crate::{background, control_socket, local_api, process, sentences};

/// How often the server is asked what is left.
const ASK: Duration = Duration::from_millis(200);

/// How `berth down` ends.
#[derive(Debug, Clone, Copy)]
pub struct Down {
    /// How long to wait until the last container is gone.
    pub timeout: Duration,
    /// End Berth even if tasks are left; their containers go on.
    pub force: bool,
    /// Stop what runs on all instances, and not only on this one.
    pub all: bool,
    /// Leave all containers running and end the processes alone.
    pub keep_tasks: bool,
    /// Remove all services too.
    pub delete_services: Option<Consent>,
}

/// How somebody agrees to lose what people made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// They are asked on the terminal.
    Ask,
    /// They have said so.
    Given,
}

/// Runs it.
pub fn run(down: Down, config: &Config, flags: &Flags) -> Result<(), RoleError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RoleError::step(Step::StartRuntime))?;
    let layout = Layout::new(&config.data_dir);
    let runs = |role| control_socket::status(&layout, role).is_some();
    let idle = !runs(RoleKind::Supervisor) && !RoleKind::SUPERVISED.into_iter().any(runs);
    let known = layout.store().exists();
    if down.delete_services == Some(Consent::Ask) {
        match terminal::ask(&sentences::ask_to_delete_services()) {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => return Err(RoleError::NobodyToAsk),
        }
    }
    if idle && (!known || layout.down_marker().exists()) {
        terminal::note(&sentences::nothing_runs(&config.data_dir));
        return Ok(());
    }
    if known && !down.force && !down.keep_tasks && !RoleKind::SUPERVISED.into_iter().all(runs) {
        if runs(RoleKind::Supervisor) {
            terminal::note(&sentences::waiting_for_up());
        } else {
            terminal::note(&sentences::starting_to_stop());
            background::start(config, flags)?;
        }
    }
    if down.keep_tasks {
        runtime.block_on(end_processes(&layout))?;
        terminal::note(&sentences::containers_go_on());
        return Ok(());
    }
    let stopped = runtime.block_on(stop_tasks(down, config, &layout));
    match stopped {
        Err(error) if !down.force => return Err(error),
        Err(error) => terminal::note(&error.sentence()),
        Ok(()) => {}
    }
    runtime.block_on(end_processes(&layout))?;
    let marker = layout.down_marker();
    disk::write(&marker, b"", 0o600).map_err(RoleError::file(&marker))?;
    terminal::note(&sentences::nothing_runs_any_more(&config.data_dir));
    Ok(())
}

async fn stop_tasks(down: Down, config: &Config, layout: &Layout) -> Result<(), RoleError> {
    let client = local_api::client(config, layout)?;
    let own = own_instance(layout)?;
    if down.delete_services.is_some() {
        delete_services(&client).await.map_err(RoleError::step(Step::StopTasks))?;
    }
    let only = match own {
        _ if down.all || down.delete_services.is_some() => None,
        Some(own) => Some(own),
        // No agent has ever joined from here: nothing runs here, and what runs elsewhere is not meant.
        None => return Ok(()),
    };
    let mut progress = Progress::start();
    let mut left = None;
    let drained = async {
        let mut asked = false;
        loop {
            // Asked again each time the server may have been away: stopping what stops changes nothing.
            let answer = if asked {
                client.remaining(only).await
            } else {
                client.stop_installation(only).await
            };
            asked = match answer {
                Ok(still) if asked && still.is_nothing() => return Ok(()),
                Ok(still) => {
                    if !still.is_nothing() {
                        progress.say(&sentences::stopping(still));
                    }
                    left = Some(still);
                    true
                }
                Err(CallError::Unreachable { .. }) => false,
                // The instance was removed: nothing of it is left.
                Err(error) if error.code() == Some(ProblemCode::InstanceNotFound) => return Ok(()),
                Err(error) => return Err(RoleError::step(Step::StopTasks)(error)),
            };
            tokio::time::sleep(ASK).await;
        }
    };
    let waited = tokio::time::timeout(down.timeout, drained).await;
    waited.unwrap_or_else(|_late| Err(RoleError::TasksLeft { waited: down.timeout, left }))
}

/// The instance of this data directory; None where no agent has joined from it.
fn own_instance(layout: &Layout) -> Result<Option<InstanceId>, RoleError> {
    let dir = layout.dir(RoleKind::Agent);
    link::client::instance_in(&dir).map_err(RoleError::step(Step::StopTasks))
}

/// Removes every service of every cluster; their tasks stop with the rest.
async fn delete_services(client: &Client) -> Result<(), CallError> {
    for service in client.status().await?.services {
        let (name, cluster) = (&service.service_name, &service.cluster_name);
        client.remove_service(name, cluster, None).await?;
    }
    Ok(())
}

/// The supervisor first: it ends its roles, and starts none again. Then what it did not know of.
async fn end_processes(layout: &Layout) -> Result<(), RoleError> {
    for role in [RoleKind::Supervisor, RoleKind::Agent, RoleKind::Router, RoleKind::Server] {
        process::make_room(layout, role).await?;
    }
    Ok(())
}
