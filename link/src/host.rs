//! Facts about this host: its identity, which decides whether a task's own address can be dialled from here, and who listens
//! on its ports.

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

/// Name and pid of the program that listens on a port, as far as this user may see it.
pub fn listener(port: u16) -> Option<(String, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().find_map(|line| listening_inode(line, port).map(ToOwned::to_owned))
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?;
    let numbered = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let mut processes = processes.filter_map(Result::ok).filter(|one| numbered(&one.file_name()));
    processes.find_map(|process| {
        let mut open = std::fs::read_dir(process.path().join("fd")).ok()?;
        let has = open.any(|file| {
            let file = file.and_then(|file| std::fs::read_link(file.path()));
            file.is_ok_and(|file| file.as_os_str() == socket.as_str())
        });
        let name = std::fs::read_to_string(process.path().join("comm")).ok().filter(|_| has)?;
        Some((name.trim().to_owned(), process.file_name().to_string_lossy().into_owned()))
    })
}

/// The socket of a line of `/proc/net/tcp` if it listens on the port.
fn listening_inode(line: &str, port: u16) -> Option<&str> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let local = fields.get(1)?.rsplit(':').next()?;
    let matches = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTEN;
    matches.then(|| fields.get(9).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_held_by_the_process_that_listens_on_it() {
        let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let (_, pid) = listener(port).unwrap();
        assert_eq!(pid, std::process::id().to_string());
    }

    #[test]
    fn a_process_stays_on_its_host() {
        let here = identity().unwrap();
        assert_eq!(here.boot_id.len(), 36);
        assert!(here.network_namespace.parse::<u64>().unwrap() > 0);
        assert_eq!(here, identity().unwrap());
    }
}
