//! Binds listeners. One that cannot be bound is a sentence that says which address, who has it, and what to set.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::error::{ListenError, RoleError, Step};
use crate::systemd;

/// How many connections the kernel queues until they are accepted, as far as its `net.core.somaxconn` allows: whoever connects
/// while a role starts again waits instead of being refused.
const BACKLOG: i32 = 4_096;

/// Lets this process have as many connections as the host allows: the soft limit on open files, which is much lower, is
/// for programs that use select.
pub fn allow_many() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files stays as it is");
    }
}

/// Listens on the address of a setting, or takes what systemd passes on there. Where it leaves the port open, the one of last
/// time is taken again if it is free.
pub fn bind(
    key: &'static str,
    address: SocketAddr,
    last: Option<SocketAddr>,
) -> Result<TcpListener, RoleError> {
    if address.port() == 0
        && let Some(last) = last
        && let Ok(listener) = listen(SocketAddr::new(address.ip(), last.port()))
    {
        return Ok(listener);
    }
    listen(address).map_err(|error| {
        let setting = config::SETTINGS.iter().find(|setting| setting.key == key);
        RoleError::Listen { address, setting, reason: reason(address, error) }
    })
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = match systemd::take(address) {
        Some(listener) => listener,
        None => TcpListener::bind(address)?,
    };
    // Once more, since the standard library asks for 128.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the others say enough by themselves")]
fn reason(address: SocketAddr, error: std::io::Error) -> ListenError {
    match error.kind() {
        ErrorKind::AddrInUse => ListenError::InUse { owner: link::host::listener(address.port()) },
        ErrorKind::PermissionDenied => ListenError::Privileged,
        ErrorKind::AddrNotAvailable => ListenError::NotThisHost,
        _ => ListenError::Other(error),
    }
}

/// For tokio.
pub fn tokio(listener: TcpListener) -> Result<tokio::net::TcpListener, RoleError> {
    let listener = listener.set_nonblocking(true).map(|()| listener);
    listener
        .and_then(tokio::net::TcpListener::from_std)
        .map_err(RoleError::step(Step::HandOverListener))
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
