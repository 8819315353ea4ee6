//! Makes one instance run the tasks assigned to it, through Docker.
//!
//! The desired state comes as a view over the link, the actual state from Docker, and [`run`] reconciles the two by one `Op`
//! of a task at a time: `next` decides, `docker` executes. Absence from the view is never an order: a task is stopped because
//! the view says so, and containers of tasks that the view does not hold are reported and left alone. Only the identity and
//! the mirror's port are on disk; an agent that starts anew finds its tasks by the labels of their containers.

use std::sync::Arc;

use link::client::{ClientConfig, ClientError, Session};
use link::message::{Agent, Stamped};
use model::{AgentView, Clock, InstanceId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use cgroup::Cgroups;
use disk_limit::{DiskLimit, docker_bounds};
use docker::{Engine, Executor};
use host_info::HostInfo;
use log_store::LogStore;
use mirror::Mirror;
use owner::Owner;
use reconciler::Reconciler;

mod cgroup;
mod classify;
mod config;
mod disk_limit;
mod docker;
mod docker_fault;
mod error;
mod exit;
mod host_info;
mod image_gc;
mod limits;
mod log_store;
mod logs;
mod mirror;
mod next;
mod op;
mod owner;
mod reconciler;
mod report;
mod sentences;
mod signal;
mod spec;
mod start_error;
mod task_runner;
mod task_state;

pub use config::Config;
pub use start_error::Error;

#[cfg(test)]
mod tests;

/// Runs the agent until `shutdown`; its containers go on. `ready` becomes true once it can do its work.
pub async fn run(
    config: Config,
    clock: Arc<dyn Clock>,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let starting = start(config, clock, ready, shutdown.clone());
    match shutdown.run_until_cancelled(starting).await {
        Some(Ok(Some(reconciler))) => {
            reconciler.run(shutdown).await;
            Ok(())
        }
        Some(Ok(None)) | None => Ok(()),
        Some(Err(error)) => Err(error),
    }
}

/// Everything before the first view; None when it is shut down meanwhile.
async fn start(
    config: Config,
    clock: Arc<dyn Clock>,
    ready: watch::Sender<bool>,
    shutdown: CancellationToken,
) -> Result<Option<Reconciler>, Error> {
    let (engine, about) = Engine::connect(config.docker_host.as_deref()).await?;
    let setup = engine.setup().await.map_err(|error| engine.unanswered(error))?;
    let detected = Cgroups::detect(&setup.cgroup_driver, &setup.cgroup_version).await;
    let (cgroups, divides_limits) = match detected {
        Ok(cgroups) => (cgroups, None),
        Err(error) => (Cgroups::Absent, Some(sentences::divides_limits(&error))),
    };
    let disk_limit = DiskLimit {
        mebibytes: config.container_disk,
        is_held_by_docker: docker_bounds(&setup.storage_driver, setup.root_dir.as_deref()),
        measured_every: DiskLimit::EVERY,
    };
    let host = HostInfo::read(&config, divides_limits, setup.root_dir).await?;
    let networks = engine.networks().await.map_err(|error| engine.unanswered(error))?;
    let hello = watch::Sender::new(host.hello(&about, host_info::used_subnets(&networks, None)));
    let listener = mirror::listen(&config.dir, config.mirror_listen).await?;
    let address = listener.local_addr().map_err(Error::Host)?;
    let logs = Arc::new(LogStore::new(&config.dir));
    let client =
        ClientConfig { dir: config.dir, server: config.server, join_token: config.join_token };
    let heard = hello.subscribe();
    let linking = link::client::start(client, heard, Arc::clone(&clock), shutdown.clone());
    let mut session: Session<Agent> = match linking.await {
        Ok(session) => session,
        Err(ClientError::Stopped) => return Ok(None),
        Err(error) => return Err(Error::Link(error)),
    };
    // Its own network is told apart from others' by the instance's id, which is known from here on.
    let instance: Option<InstanceId> = session.id.parse().ok();
    hello.send_replace(host.hello(&about, host_info::used_subnets(&networks, instance)));
    let mirror = Mirror::serve(listener, session.http.clone(), shutdown)
        .map_err(|source| Error::Mirror { address, source })?;
    tracing::info!("Docker {} answers; the image mirror listens on {address}", about.version);
    let is_own = |view: &Option<Stamped<AgentView>>| {
        view.as_ref().is_some_and(|view| view.view.instance().is_some())
    };
    let first = session.view.wait_for(is_own).await.ok().and_then(|view| view.clone());
    let Some(first) = first else { return Ok(None) };
    let Some(instance) = first.view.instance() else { return Ok(None) };
    let owner = Owner { installation: instance.installation, instance: instance.id };
    let (platform, pulls) = (about.platform, docker::pull_limit());
    let (cgroups, host_memory) = (Arc::new(cgroups), host_info::total_memory());
    let executor =
        Executor { engine, owner, mirror, platform, pulls, logs, cgroups, host_memory, disk_limit };
    Ok(Some(Reconciler::new(executor, clock, session, first.view, host, hello, ready)))
}
