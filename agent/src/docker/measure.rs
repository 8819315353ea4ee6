//! What the host and its containers use, as the kernel and Docker measure it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use bollard::models::ContainerStatsResponse;
use bollard::query_parameters::{InspectContainerOptions, StatsOptions};
use disk::Room;
use futures_util::StreamExt as _;
use model::observed::DiskSeen;
use model::{ContainerId, TaskId};

use super::{Engine, within};
use crate::error::DockerError;
use crate::host_info;
use crate::spec::PIDS;

const STATS: Duration = Duration::from_secs(10);
const SIZE: Duration = Duration::from_mins(1);
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
    /// Containers with as many processes and threads as they may have.
    pub(crate) at_process_limit: BTreeSet<ContainerId>,
}

impl Engine {
    /// Measures the host, and these containers of tasks. What cannot be measured is left out.
    pub(crate) async fn measure(
        &self,
        docker_dir: Option<String>,
        containers: Vec<(TaskId, ContainerId)>,
    ) -> Measured {
        let mut tasks: BTreeMap<TaskId, u64> = BTreeMap::new();
        let mut at_process_limit = BTreeSet::new();
        for (task, id) in containers {
            let Ok(Some(stats)) = self.stats(&id).await else { continue };
            if let Some(bytes) = memory(&stats) {
                *tasks.entry(task).or_default() += bytes.div_ceil(MEBIBYTE);
            }
            if is_at_process_limit(&stats) {
                at_process_limit.insert(id);
            }
        }
        let floor = |mebibytes: u64| mebibytes / STEP_MIB * STEP_MIB;
        Measured {
            available_memory_mib: host_info::available_memory().map(floor),
            disk: docker_dir
                .and_then(|dir| disk(Path::new(&dir)))
                .map(|disk| DiskSeen { free_mib: floor(disk.free_mib), ..disk }),
            tasks,
            at_process_limit,
        }
    }

    /// What each of these containers has written in its own file system, in bytes. Docker walks its files for that.
    pub(crate) async fn written(
        &self,
        containers: Vec<(TaskId, ContainerId)>,
    ) -> Vec<(TaskId, ContainerId, u64)> {
        let mut all = Vec::new();
        for (task, id) in containers {
            let options = Some(InspectContainerOptions { size: true });
            let seen = within(SIZE, self.docker.inspect_container(id.as_str(), options)).await;
            let bytes = seen.ok().and_then(|seen| u64::try_from(seen.size_rw?).ok());
            all.extend(bytes.map(|bytes| (task, id, bytes)));
        }
        all
    }

    async fn stats(&self, id: &ContainerId) -> Result<Option<ContainerStatsResponse>, DockerError> {
        let options = StatsOptions { stream: false, one_shot: true };
        let mut stats = Box::pin(self.docker.stats(id.as_str(), Some(options)));
        within(STATS, async { stats.next().await.transpose() }).await
    }
}

/// Bytes of memory that a container uses, but for what the kernel can drop at any time.
fn memory(stats: &ContainerStatsResponse) -> Option<u64> {
    let memory = stats.memory_stats.as_ref()?;
    let details = memory.stats.as_ref();
    // Version 1 of control groups names it `total_inactive_file`.
    let droppable =
        details.and_then(|all| all.get("total_inactive_file").or_else(|| all.get("inactive_file")));
    memory.usage.map(|used| used.saturating_sub(droppable.copied().unwrap_or(0)))
}

fn is_at_process_limit(stats: &ContainerStatsResponse) -> bool {
    let current = stats.pids_stats.as_ref().and_then(|processes| processes.current);
    current.is_some_and(|current| i64::try_from(current).is_ok_and(|current| current >= PIDS))
}

fn disk(path: &Path) -> Option<DiskSeen> {
    let room = Room::of(path).ok()?;
    Some(DiskSeen { total_mib: room.total / MEBIBYTE, free_mib: room.free / MEBIBYTE })
}
