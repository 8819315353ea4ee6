//! What the commands about a service have in common.

use std::time::Duration;

use api::TaskDefinitionReference;
use model::{ClusterName, ServiceName};

use crate::wait::Patience;

/// A service by name.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The service.
    pub(super) name: ServiceName,
    /// Its cluster.
    #[arg(long, default_value = "default")]
    pub(super) cluster: ClusterName,
}

/// Whether to wait.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// Do not wait until it is done.
    #[arg(long)]
    pub(super) detach: bool,
    /// Wait until the deployment is COMPLETED, and not only until it has replaced the older tasks.
    #[arg(long, conflicts_with = "detach")]
    pub(super) until_completed: bool,
    /// How long to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(super) timeout: u64,
}

impl Waiting {
    /// How long to wait for a deployment, and for what.
    pub(super) fn patience(&self) -> Patience {
        let timeout = Duration::from_secs(self.timeout);
        Patience { timeout, until_completed: self.until_completed }
    }
}

/// What can be changed of a service.
#[derive(Debug, clap::Args)]
pub struct Settings {
    /// `family:revision`, or `family` for the newest.
    #[arg(long, value_name = "REVISION")]
    pub(super) task_definition: Option<TaskDefinitionReference>,
    /// How many tasks it keeps.
    #[arg(long, value_name = "COUNT")]
    pub(super) desired_count: Option<u32>,
    /// At least this many percent stay healthy while it rolls.
    #[arg(long, value_name = "PERCENT")]
    pub(super) minimum_healthy_percent: Option<u32>,
    /// At most this many percent run while it rolls.
    #[arg(long, value_name = "PERCENT")]
    pub(super) maximum_percent: Option<u32>,
    /// How long a deployment is watched after it has replaced the older tasks; 60 by default, 0 for not at all.
    #[arg(long, value_name = "SECONDS")]
    pub(super) bake_time: Option<u32>,
    /// Seconds after its start in which failed health checks of a task are overlooked.
    #[arg(long, value_name = "SECONDS")]
    pub(super) health_grace_period: Option<u32>,
    /// Whether pushes roll out by themselves.
    #[arg(long, value_name = "BOOL")]
    pub(super) follow_tags: Option<bool>,
    /// Replace all tasks though nothing changed.
    #[arg(long)]
    pub(super) force_new_deployment: bool,
}
