//! The control group of a task: the parent of its containers' own, which bounds what all of them use together, as ECS bounds
//! a task by its `cpu` and `memory`. It is made before a container of the task starts and goes after the last is removed.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::{AssignedTask, TaskId};
use tokio::process::Command;

/// Where control groups are mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// Above the control groups of all tasks.
const BASE: &str = "berth";
/// The controllers that bound a task.
const CONTROLLERS: [&str; 2] = ["cpu", "memory"];
/// Microseconds in which a quota is counted: the kernel's default.
const PERIOD_MICROS: u64 = 100_000;
/// The least quota that the kernel takes.
const LEAST_QUOTA_MICROS: u64 = 1_000;
const UNITS_PER_CORE: u64 = 1024;
const MEBIBYTE: u64 = 1024 * 1024;
const SYSTEMCTL: Duration = Duration::from_secs(10);

/// How control groups are made on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cgroups {
    /// As directories of version 1, one hierarchy for each controller.
    Version1(PathBuf),
    /// As directories of version 2, one hierarchy for all controllers.
    Version2(PathBuf),
    /// As slices of systemd, which alone may make them where Docker uses its driver.
    Systemd,
    /// Not at all.
    Absent,
}

impl Cgroups {
    /// How Docker makes control groups here, by what it says of itself; the error says why a task can have none.
    pub(crate) async fn detect(driver: &str, version: &str) -> Result<Self, io::Error> {
        let root = PathBuf::from(ROOT);
        let way = match (driver, version) {
            ("cgroupfs", "1") => Self::Version1(root),
            ("cgroupfs", "2") => Self::Version2(root),
            ("systemd", _) => {
                systemctl(&["is-active", "--quiet", "--", "-.slice"]).await?;
                return Ok(Self::Systemd);
            }
            _ => {
                let reason = format!("Docker's cgroup driver is `{driver}`, version `{version}`");
                return Err(io::Error::other(reason));
            }
        };
        way.base().iter().try_for_each(std::fs::create_dir_all)?;
        way.delegate()?;
        Ok(way)
    }

    /// The parent of a task's containers as Docker names it; None where the task as a whole has no bounds, or can have none.
    pub(crate) fn parent(&self, task: &AssignedTask) -> Option<String> {
        if task.cpu.is_none() && task.memory.is_none() {
            return None;
        }
        match self {
            Self::Version1(_) | Self::Version2(_) => Some(format!("/{BASE}/{}", task.id)),
            Self::Systemd => Some(slice(task.id)),
            Self::Absent => None,
        }
    }

    /// Makes the control group of a task, with its bounds; what is there already is set anew.
    pub(crate) async fn ensure(&self, task: &AssignedTask) -> io::Result<()> {
        if self.parent(task).is_none() {
            return Ok(());
        }
        if *self == Self::Systemd {
            let slice = slice(task.id);
            let mut arguments = vec!["set-property", "--runtime", &slice];
            let properties = properties(task);
            arguments.extend(properties.iter().map(String::as_str));
            return systemctl(&arguments).await;
        }
        let directories = self.directories(task.id);
        directories.iter().try_for_each(std::fs::create_dir_all)?;
        self.delegate()?;
        for setting in self.settings(task) {
            let written = set(&setting.path, &setting.value);
            if !setting.is_optional {
                written?;
            }
        }
        Ok(())
    }

    /// Removes the control group of a task that has no container any more.
    pub(crate) async fn remove(&self, task: &AssignedTask) {
        if self.parent(task).is_none() {
            return;
        }
        if *self == Self::Systemd {
            let slice = slice(task.id);
            for arguments in [["stop", &slice], ["revert", &slice]] {
                if let Err(error) = systemctl(&arguments).await {
                    tracing::debug!(%error, "`{slice}` is left");
                }
            }
            return;
        }
        for directory in self.left_by(task.id) {
            if let Err(error) = std::fs::remove_dir(&directory)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::debug!(%error, "`{}` is left", directory.display());
            }
        }
    }

    /// Removes what is above the control groups of tasks, unless there are any, of this agent or another.
    pub(crate) fn tidy(&self) {
        let bases = match self {
            Self::Version1(root) => hierarchies(root),
            Self::Version2(root) => vec![root.join(BASE)],
            Self::Systemd | Self::Absent => Vec::new(),
        };
        for base in bases {
            std::fs::remove_dir(base).ok();
        }
    }

    fn base(&self) -> Vec<PathBuf> {
        match self {
            Self::Version1(root) => CONTROLLERS.map(|one| root.join(one).join(BASE)).to_vec(),
            Self::Version2(root) => vec![root.join(BASE)],
            Self::Systemd | Self::Absent => Vec::new(),
        }
    }

    fn directories(&self, task: TaskId) -> Vec<PathBuf> {
        self.base().iter().map(|base| base.join(task.to_string())).collect()
    }

    /// Everything that may be left of a task: in version 1 Docker makes its control group for every controller there is.
    fn left_by(&self, task: TaskId) -> Vec<PathBuf> {
        let Self::Version1(root) = self else { return self.directories(task) };
        hierarchies(root).into_iter().map(|base| base.join(task.to_string())).collect()
    }

    /// In version 2 a control group has only the controllers that those above it pass on.
    fn delegate(&self) -> io::Result<()> {
        let Self::Version2(root) = self else { return Ok(()) };
        let above = [root.clone(), root.join(BASE)];
        above.iter().try_for_each(|one| set(&one.join("cgroup.subtree_control"), "+cpu +memory"))
    }

    fn settings(&self, task: &AssignedTask) -> Vec<Setting> {
        let directories = self.directories(task.id);
        let quota = task.cpu.map(quota);
        let memory = task.memory.map(|mebibytes| mebibytes.saturating_mul(MEBIBYTE));
        let mut settings = Vec::new();
        let mut set = |directory: &Path, file, value: String, is_optional| {
            settings.push(Setting { path: directory.join(file), value, is_optional });
        };
        match (self, directories.as_slice()) {
            (Self::Version1(_), [cpu, memory_controller]) => {
                if let Some(quota) = quota {
                    set(cpu, "cpu.cfs_period_us", PERIOD_MICROS.to_string(), false);
                    set(cpu, "cpu.cfs_quota_us", quota.to_string(), false);
                }
                if let Some(bytes) = memory {
                    // Refused where the control group above counts its own already, as it does by default.
                    set(memory_controller, "memory.use_hierarchy", "1".to_owned(), true);
                    set(memory_controller, "memory.limit_in_bytes", bytes.to_string(), false);
                    // Absent where the kernel does not count swap.
                    set(memory_controller, "memory.memsw.limit_in_bytes", bytes.to_string(), true);
                }
            }
            (Self::Version2(_), [directory]) => {
                if let Some(quota) = quota {
                    set(directory, "cpu.max", format!("{quota} {PERIOD_MICROS}"), false);
                }
                if let Some(bytes) = memory {
                    set(directory, "memory.max", bytes.to_string(), false);
                    set(directory, "memory.swap.max", "0".to_owned(), true);
                }
            }
            _ => {}
        }
        settings
    }
}

/// The place of Berth's control groups in each hierarchy of version 1.
fn hierarchies(root: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(root).into_iter().flatten().flatten();
    all.map(|one| one.path().join(BASE)).collect()
}

/// A file of a control group and what it is to hold.
#[derive(Debug, PartialEq, Eq)]
struct Setting {
    path: PathBuf,
    value: String,
    /// Whether it may be missing or refused.
    is_optional: bool,
}

/// Sets a file of the kernel, which is there already and takes a value as it is.
fn set(path: &Path, value: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

/// Microseconds of each period that a task of so many CPU units may run.
fn quota(units: u64) -> u64 {
    (units.saturating_mul(PERIOD_MICROS) / UNITS_PER_CORE).max(LEAST_QUOTA_MICROS)
}

/// The dash puts it into `berth.slice` (systemd.slice(5)); an id has none.
fn slice(task: TaskId) -> String {
    format!("{BASE}-{task}.slice")
}

fn properties(task: &AssignedTask) -> Vec<String> {
    let cpu = task.cpu.map(|units| {
        // In whole percents of a core, so that no unit is less than nothing.
        format!("CPUQuota={}%", (units.saturating_mul(100)).div_ceil(UNITS_PER_CORE))
    });
    let memory = task
        .memory
        .map(|mebibytes| [format!("MemoryMax={mebibytes}M"), "MemorySwapMax=0".to_owned()]);
    cpu.into_iter().chain(memory.into_iter().flatten()).collect()
}

async fn systemctl(arguments: &[&str]) -> io::Result<()> {
    let mut command = Command::new("systemctl");
    command.args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(SYSTEMCTL, command.output());
    let output = output.await.map_err(|_elapsed| io::Error::other("systemd does not answer"))??;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("systemctl {}: {}", arguments.join(" "), said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests;

    fn bounded() -> AssignedTask {
        AssignedTask { cpu: Some(256), memory: Some(512), ..tests::task() }
    }

    fn shown(way: &Cgroups) -> Vec<String> {
        let settings = way.settings(&bounded());
        settings.iter().map(|one| format!("{} = {}", one.path.display(), one.value)).collect()
    }

    #[test]
    fn a_task_without_bounds_of_its_own_has_no_control_group() {
        let way = Cgroups::Version2(PathBuf::from("/c"));
        assert_eq!(way.parent(&tests::task()), None);
        let id = bounded().id;
        assert_eq!(way.parent(&bounded()), Some(format!("/berth/{id}")));
        assert_eq!(Cgroups::Systemd.parent(&bounded()), Some(format!("berth-{id}.slice")));
        assert_eq!(Cgroups::Absent.parent(&bounded()), None);
    }

    #[test]
    fn each_version_is_told_in_its_own_files() {
        let id = bounded().id;
        assert_eq!(
            shown(&Cgroups::Version1(PathBuf::from("/c"))),
            [
                format!("/c/cpu/berth/{id}/cpu.cfs_period_us = 100000"),
                format!("/c/cpu/berth/{id}/cpu.cfs_quota_us = 25000"),
                format!("/c/memory/berth/{id}/memory.use_hierarchy = 1"),
                format!("/c/memory/berth/{id}/memory.limit_in_bytes = 536870912"),
                format!("/c/memory/berth/{id}/memory.memsw.limit_in_bytes = 536870912"),
            ]
        );
        assert_eq!(
            shown(&Cgroups::Version2(PathBuf::from("/c"))),
            [
                format!("/c/berth/{id}/cpu.max = 25000 100000"),
                format!("/c/berth/{id}/memory.max = 536870912"),
                format!("/c/berth/{id}/memory.swap.max = 0"),
            ]
        );
        assert_eq!(properties(&bounded()), ["CPUQuota=25%", "MemoryMax=512M", "MemorySwapMax=0"]);
    }
}
