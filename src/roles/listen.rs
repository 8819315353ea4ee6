//! Binds listeners. One that cannot be bound is a sentence that says which address, who has it, and what to set.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use supervisor::{ListenError, RoleError, Step};

/// Lets this process have as many connections as the host allows: the soft limit on open files, which is much lower, is
/// for programs that use select.
pub(crate) fn allow_many() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Listens on the address of a setting. Where it leaves the port open, the one of last time is taken again if it is free.
pub(crate) fn bind(
    key: &'static str,
    address: SocketAddr,
    last: Option<SocketAddr>,
) -> Result<TcpListener, RoleError> {
    if address.port() == 0
        && let Some(last) = last
        && let Ok(listener) = TcpListener::bind(SocketAddr::new(address.ip(), last.port()))
    {
        return Ok(listener);
    }
    TcpListener::bind(address).map_err(|error| {
        let setting = config::SETTINGS.iter().find(|setting| setting.key == key);
        RoleError::Listen { address, setting, reason: reason(address, error) }
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others say enough by themselves")]
fn reason(address: SocketAddr, error: std::io::Error) -> ListenError {
    match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse { owner: owner(address.port()) },
        ErrorKind::PermissionDenied => ListenError::Privileged,
        ErrorKind::AddrNotAvailable => ListenError::NotThisHost,
        _ => ListenError::Other(error),
    }
}

/// For tokio.
pub(crate) fn tokio(listener: TcpListener) -> Result<tokio::net::TcpListener, RoleError> {
    let listener = listener.set_nonblocking(true).map(|()| listener);
    listener
        .and_then(tokio::net::TcpListener::from_std)
        .map_err(RoleError::step(Step::HandOverListener))
}

/// Name and pid of the program that listens on a port, as far as this user may see it.
fn owner(port: u16) -> Option<(String, String)> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().find_map(|line| listening_inode(line, port).map(ToOwned::to_owned))
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = std::fs::read_dir("/proc").ok()?;
    let numbered = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let processes = processes.filter_map(Result::ok).filter(|one| numbered(&one.file_name()));
    let mut processes = processes;
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
    fn a_port_that_is_taken_is_refused_with_its_owner_and_the_setting_to_change() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let said = bind("admin.listen", address, None).unwrap_err().sentence();
        assert!(said.contains(&address.to_string()), "{said}");
        assert!(said.contains(&format!("pid {}", std::process::id())), "{said}");
        assert!(said.contains("`admin.listen` (BERTH_ADMIN_LISTEN)"), "{said}");
    }

    #[test]
    fn as_many_files_may_be_open_as_the_host_allows() {
        allow_many();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn an_open_port_is_the_one_of_last_time_if_that_is_free() {
        let any = "127.0.0.1:0".parse().unwrap();
        let first = bind("admin.listen", any, None).unwrap();
        let last = first.local_addr().unwrap();
        let other = bind("admin.listen", any, Some(last)).unwrap();
        assert_ne!(other.local_addr().unwrap(), last, "it is taken");
        drop(first);
        assert_eq!(bind("admin.listen", any, Some(last)).unwrap().local_addr().unwrap(), last);
    }
}
