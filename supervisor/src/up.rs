//! `berth up`: server, agent and router of this machine as processes of their own, started, watched and started again.
//!
//! The supervisor holds nothing that matters: killed, it leaves everything running, and the next one adopts what agrees
//! with it in program and configuration, and replaces the rest.

use std::sync::Arc;

use config::{Config, Flags};

use crate::background;
use crate::clock::Stopwatch;
use crate::control_socket;
use crate::error::{RoleError, Step};
use crate::layout::Layout;
use crate::local_api;
use crate::reload;
use crate::role::Role;
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;
use crate::sentences;
use crate::summary::Summary;
use crate::supervisor::Supervisor;

/// How `berth up` starts.
#[derive(Debug, Clone, Copy)]
pub struct Up {
    /// Return once everything is ready, and leave it running.
    pub detach: bool,
    /// Started by `--detach`: in a session of its own.
    pub background: bool,
}

/// Runs until it is asked to end; with `--detach` until everything is ready.
pub fn run(up: Up, config: &Config, flags: &Flags) -> Result<(), RoleError> {
    if ends_suspension(config)? {
        return Ok(());
    }
    if up.detach {
        let summary = Summary::begin(config);
        background::start(config, flags)?;
        summary.print(true);
        return Ok(());
    }
    if up.background {
        rustix::process::setsid().ok();
    }
    let role = Role::enter(RoleKind::Supervisor, config)?;
    // Nothing can run yet that an installation without a store would have started.
    let layout = role.layout();
    if !layout.store().exists() {
        let marker = layout.down_marker();
        disk::write(&marker, b"", 0o600).map_err(RoleError::file(&marker))?;
    }
    let mut reload = false;
    role.run(1, async |role| {
        reload = supervise(role, config, flags).await? == Ended::ForReload;
        Ok(())
    })?;
    if reload { Err(reload::exec()) } else { Ok(()) }
}

/// Why the supervisor has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// It was asked to, and has ended the roles.
    WithRoles,
    /// To go on as another program; the roles run.
    ForReload,
}

/// A `berth down` that was interrupted has left Berth running, with what runs on it suspended: then nothing needs to be
/// started, and that comes back.
fn ends_suspension(config: &Config) -> Result<bool, RoleError> {
    let layout = Layout::new(&config.data_dir);
    if !control_socket::status(&layout, RoleKind::Supervisor).is_some_and(|up| up.ready) {
        return Ok(false);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RoleError::step(Step::StartRuntime))?;
    runtime.block_on(async {
        let status = local_api::client(config, &layout)?.status().await;
        let Ok(status) = status else { return Ok(false) };
        if !status.instances.iter().any(|instance| instance.suspended) {
            return Ok(false);
        }
        resume(&layout, config).await?;
        terminal::note(&sentences::resumed());
        Ok(true)
    })
}

/// What an earlier `berth down` has stopped comes back.
async fn resume(layout: &Layout, config: &Config) -> Result<(), RoleError> {
    let client = local_api::client(config, layout)?;
    client.resume_installation().await.map(drop).map_err(RoleError::step(Step::Resume))
}

async fn supervise(up: &Role, config: &Config, flags: &Flags) -> Result<Ended, RoleError> {
    let mut watch = Stopwatch::default();
    let requests = reload::Requests::listen();
    let summary = Summary::begin(config);
    terminal::note(&sentences::starting(&config.data_dir));
    let command = Arc::new(RoleCommand::new(config, flags));
    let mut supervisor = Supervisor::start(&command, &up.listeners);
    let started = tokio::select! {
        started = supervisor.started(&command) => started,
        () = up.shutdown.cancelled() => Ok(()),
    };
    if started.is_ok() && !up.shutdown.is_cancelled() {
        // From here on there may be containers.
        std::fs::remove_file(up.layout().down_marker()).ok();
        resume(up.layout(), config).await?;
        summary.print(false);
        terminal::note(&sentences::ready(watch.lap()));
        up.ready.send_replace(true);
        if until_reload(up, &command, flags, requests).await {
            terminal::note(&sentences::reloading());
            return Ok(Ended::ForReload);
        }
        terminal::note(&sentences::ending());
    }
    supervisor.end().await;
    started.map(|()| Ended::WithRoles)
}

/// Returns when it is to go on as another program, with true, or to end.
async fn until_reload(
    up: &Role,
    command: &RoleCommand,
    flags: &Flags,
    mut requests: reload::Requests,
) -> bool {
    loop {
        tokio::select! {
            () = up.shutdown.cancelled() => return false,
            () = requests.next() => {}
        }
        if reload::works(command, flags).await {
            return true;
        }
    }
}
