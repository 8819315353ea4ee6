//! What bounds how much a container writes in its own file system: Docker itself, where its storage driver can, else the
//! agent, which measures it and stops a task that wrote more.

use std::path::Path;
use std::time::Duration;

/// Where this process sees file systems mounted (proc(5)).
const MOUNTS: &str = "/proc/self/mountinfo";
/// Storage drivers that bound a container by `StorageOpt` `size` wherever they run (Docker's documentation of
/// `docker run --storage-opt`); `overlay2` does on XFS with project quotas.
const BOUNDING_DRIVERS: [&str; 3] = ["btrfs", "zfs", "devicemapper"];

/// The bound of each container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DiskLimit {
    /// MiB that it may write.
    pub(crate) mebibytes: u64,
    /// Whether Docker refuses what is more: then nobody has to measure.
    pub(crate) is_held_by_docker: bool,
    /// How often what containers have written is measured else: Docker walks their files for that.
    pub(crate) measured_every: Duration,
}

impl DiskLimit {
    /// How often it is measured unless a test is in a hurry.
    pub(crate) const EVERY: Duration = Duration::from_secs(30);
}

/// Whether Docker can bound containers, by its storage driver and by where it keeps them.
pub(crate) fn docker_bounds(driver: &str, root_dir: Option<&str>) -> bool {
    let mounts = || std::fs::read_to_string(MOUNTS).unwrap_or_default();
    BOUNDING_DRIVERS.contains(&driver)
        || (driver == "overlay2"
            && root_dir.is_some_and(|dir| has_project_quotas(&mounts(), Path::new(dir))))
}

/// Whether the file system that holds `dir` is XFS with project quotas. The last of the longest mount points counts: it
/// covers those before it.
fn has_project_quotas(mounts: &str, dir: &Path) -> bool {
    let all = mounts.lines().filter_map(|line| {
        let (place, of_file_system) = line.split_once(" - ")?;
        let point = Path::new(place.split(' ').nth(4)?);
        dir.starts_with(point).then_some((point.components().count(), of_file_system))
    });
    let holding = all.max_by_key(|(length, _)| *length);
    holding.is_some_and(|(_, of_file_system)| {
        let mut fields = of_file_system.split(' ');
        let kind = fields.next();
        let mut options = fields.nth(1).unwrap_or_default().split(',');
        kind == Some("xfs") && options.any(|option| matches!(option, "prjquota" | "pquota"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_bounds_containers_on_xfs_with_project_quotas_only() {
        let mounts = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 254:16 / /var/lib/docker rw,relatime shared:5 - xfs /dev/vdb rw,attr2,prjquota
32 22 254:32 / /data rw,relatime shared:6 - xfs /dev/vdc rw,attr2,noquota
33 22 254:48 / /var/lib rw,relatime shared:7 - ext4 /dev/vdd rw,prjquota
";
        let has = |dir: &str| has_project_quotas(mounts, Path::new(dir));
        assert!(has("/var/lib/docker"));
        assert!(has("/var/lib/docker/0.0"));
        assert!(!has("/data/docker"), "no quotas");
        assert!(!has("/var/lib/dockers"), "ext4 has its quotas in another way");
        assert!(!has("/srv"));
        assert!(!has_project_quotas("", Path::new("/srv")));
        assert!(docker_bounds("btrfs", None) && !docker_bounds("vfs", Some("/")));
    }
}
