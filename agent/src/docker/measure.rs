//! What the host and its containers use, as the kernel and Docker measure it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::StatsOptions;
use futures_util::StreamExt as _;
use model::observed::DiskSeen;
use model::{ContainerId, TaskId};

use super::{Engine, within};
use crate::error::DockerError;
use crate::host_info;

const STATS: Duration = Duration::from_secs(10);
const MEBIBYTE: u64 = 1024 * 1024;
/// What is free is told in steps of so many MiB: that a few pages come and go is no news.
const STEP_MIB: u64 = 64;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Measured {
    /// Memory that processes can still get, in MiB.
    pub(crate) available_memory_mib: Option<u64>,
    /// The file system that holds Docker's images and containers.
    pub(crate) disk: Option<DiskSeen>,
    /// What the containers of each task use now, in MiB.
    pub(crate) tasks: BTreeMap<TaskId, u64>,
}

impl Engine {
    /// Measures the host, and these containers of tasks. What cannot be measured is left out.
    pub(crate) async fn measure(
        &self,
        docker_dir: Option<String>,
        containers: Vec<(TaskId, ContainerId)>,
    ) -> Measured {
        let mut tasks: BTreeMap<TaskId, u64> = BTreeMap::new();
        for (task, id) in containers {
            if let Ok(Some(bytes)) = self.memory_of(&id).await {
                *tasks.entry(task).or_default() += bytes.div_ceil(MEBIBYTE);
            }
        }
        let floor = |mebibytes: u64| mebibytes / STEP_MIB * STEP_MIB;
        Measured {
            available_memory_mib: host_info::available_memory().map(floor),
            disk: docker_dir
                .and_then(|dir| disk(Path::new(&dir)))
                .map(|disk| DiskSeen { free_mib: floor(disk.free_mib), ..disk }),
            tasks,
        }
    }

    /// Bytes of memory that a container uses, but for what the kernel can drop at any time.
    async fn memory_of(&self, id: &ContainerId) -> Result<Option<u64>, DockerError> {
        let options = StatsOptions { stream: false, one_shot: true };
        let mut stats = Box::pin(self.docker.stats(id.as_str(), Some(options)));
        let first = async { stats.next().await.transpose() };
        let memory = within(STATS, first).await?.and_then(|stats| stats.memory_stats);
        Ok(memory.and_then(|memory| {
            let details = memory.stats.unwrap_or_default();
            // Version 1 of control groups names it `total_inactive_file`.
            let droppable = details.get("total_inactive_file").or(details.get("inactive_file"));
            memory.usage.map(|used| used.saturating_sub(droppable.copied().unwrap_or(0)))
        }))
    }
}

fn disk(path: &Path) -> Option<DiskSeen> {
    let seen = rustix::fs::statvfs(path).ok()?;
    let mebibytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize) / MEBIBYTE;
    Some(DiskSeen { total_mib: mebibytes(seen.f_blocks), free_mib: mebibytes(seen.f_bavail) })
}
