//! Watches the room of the registry's disk: what status and `/readyz` say of it, and what is done when it is low and when it
//! is not any more.

use std::path::{Path, PathBuf};
use std::time::Duration;

use api::RegistryDisk;
use registry::{DiskRoom, Registry};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often it is looked at. The registry itself looks before each buffer that it writes.
const LOOK: Duration = Duration::from_secs(2);
const MEBIBYTE: u64 = 1 << 20;

/// Looks until `shutdown`.
pub(crate) async fn run(
    registry: Registry,
    data_dir: PathBuf,
    seen: watch::Sender<Option<RegistryDisk>>,
    shutdown: CancellationToken,
) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shutdown.cancelled() => return,
        }
        let measured = registry.clone();
        let Ok(Ok(room)) = tokio::task::spawn_blocking(move || measured.room()).await else {
            continue;
        };
        let was_low = seen.borrow().is_some_and(|disk| disk.is_low);
        let disk = shown(room);
        seen.send_if_modified(|seen| seen.replace(disk) != Some(disk));
        if disk.is_low && !was_low {
            tracing::warn!("{}", sentence(&disk));
        } else if was_low && !disk.is_low {
            tracing::info!("the registry takes pushes again: its disk has room");
            hold_back(&data_dir).await;
        }
        registry.end_idle_uploads().await;
    }
}

/// Puts back what small files took while there was no room.
async fn hold_back(data_dir: &Path) {
    let dir = data_dir.to_owned();
    let held = tokio::task::spawn_blocking(move || disk::keep_reserve(&dir));
    if let Ok(Err(error)) = held.await {
        tracing::warn!(%error, "no room is held back in `{}`", data_dir.display());
    }
}

fn shown(room: DiskRoom) -> RegistryDisk {
    RegistryDisk {
        total_mib: room.total / MEBIBYTE,
        free_mib: room.free / MEBIBYTE,
        low_water_mib: room.low_water / MEBIBYTE,
        is_low: room.is_low(),
    }
}

/// What to see to.
pub(crate) fn sentence(disk: &RegistryDisk) -> String {
    format!(
        "the registry takes no pushes: {} MiB of {} are free on its disk, and pushes leave {} free; make room",
        disk.free_mib, disk.total_mib, disk.low_water_mib
    )
}
