//! The identity of this host: two facts that decide whether a task's own address can be dialled from here.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use model::HostIdentity;

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const NETWORK_NAMESPACE: &str = "/proc/self/ns/net";

/// Which boot of which network namespace this process is in.
pub fn identity() -> io::Result<HostIdentity> {
    let named = |path: &str, error: io::Error| {
        io::Error::new(error.kind(), format!("cannot read `{path}`: {error}"))
    };
    let boot_id = std::fs::read_to_string(BOOT_ID).map_err(|error| named(BOOT_ID, error))?;
    let namespace =
        std::fs::metadata(NETWORK_NAMESPACE).map_err(|error| named(NETWORK_NAMESPACE, error))?;
    Ok(HostIdentity {
        boot_id: boot_id.trim().to_owned(),
        network_namespace: namespace.ino().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_stays_on_its_host() {
        let here = identity().unwrap();
        assert_eq!(here.boot_id.len(), 36);
        assert!(here.network_namespace.parse::<u64>().unwrap() > 0);
        assert_eq!(here, identity().unwrap());
    }
}
