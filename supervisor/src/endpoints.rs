//! The addresses that the listeners really have, for whoever looks for them: commands, the local agent and router, and the
//! next start, which takes the same ports again where the configuration leaves the choice open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::RoleError;
use crate::layout::Layout;

/// `host:port` that can be dialled from this host; None while nobody has listened there yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// The registry.
    pub registry: Option<SocketAddr>,
    /// The router.
    pub router: Option<SocketAddr>,
    /// The admin API.
    pub admin: Option<SocketAddr>,
    /// The link.
    pub link: Option<SocketAddr>,
}

impl Endpoints {
    /// The last ones that were written; none of them if there are none or they cannot be read.
    pub fn read(layout: &Layout) -> Self {
        let text = std::fs::read_to_string(layout.endpoints());
        text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Changes them; several processes may do so at once.
    pub fn update(layout: &Layout, change: impl FnOnce(&mut Self)) -> Result<(), RoleError> {
        let lock = layout.run().join("endpoints.lock");
        let path = layout.endpoints();
        let _lock = loop {
            match disk::Lock::acquire(&lock).map_err(RoleError::file(&lock))? {
                Some(held) => break held,
                // Whoever holds it writes one small file.
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let before = Self::read(layout);
        let mut after = before.clone();
        change(&mut after);
        if after == before && path.exists() {
            return Ok(());
        }
        let text = serde_json::to_vec(&after).expect("addresses can always be written as JSON");
        disk::write(&path, &text, 0o600).map_err(RoleError::file(&path))
    }
}

/// `host:port` of the server that an agent or router dials: the configured one, else the one of this data directory.
pub fn link_server(config: &config::Config, layout: &Layout) -> String {
    config.link.server.clone().unwrap_or_else(|| {
        let local = Endpoints::read(layout).link;
        local.unwrap_or_else(|| dialable(config.link.listen)).to_string()
    })
}

/// Where a listener can be dialled from this host.
pub fn dialable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    SocketAddr::new(ip, address.port())
}

/// Where other hosts most likely reach a listener that this one dials at `dialled`.
pub fn for_others(listen: SocketAddr, dialled: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        let outward = outward_address(listen.ip()).unwrap_or(dialled.ip());
        SocketAddr::new(outward, dialled.port())
    } else {
        dialled
    }
}

/// This host's address on its way out; None where it has none.
fn outward_address(any: IpAddr) -> Option<IpAddr> {
    // Addresses for documentation, which nobody has. Nothing is sent: the kernel only chooses a way.
    let outside = match any {
        IpAddr::V4(_) => SocketAddr::from(([198, 51, 100, 1], 9)),
        IpAddr::V6(_) => SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 9)),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(outside).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_dialled_on_loopback() {
        let dialled = |text: &str| dialable(text.parse().unwrap()).to_string();
        assert_eq!(dialled("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(dialled("[::]:8080"), "[::1]:8080");
        assert_eq!(dialled("10.0.0.7:80"), "10.0.0.7:80");
    }

    #[test]
    fn other_hosts_are_told_no_unspecified_address() {
        let told = |listen: &str, dialled: &str| {
            for_others(listen.parse().unwrap(), dialled.parse().unwrap())
        };
        assert_eq!(told("10.0.0.7:7071", "10.0.0.7:7071").to_string(), "10.0.0.7:7071");
        let outward = told("0.0.0.0:0", "127.0.0.1:7071");
        assert!(!outward.ip().is_unspecified(), "{outward}");
        assert_eq!(outward.port(), 7071);
    }

    #[test]
    fn roles_that_write_at_once_keep_each_others_addresses() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        layout.create().unwrap();
        let port = |port| Some(SocketAddr::from(([127, 0, 0, 1], port)));
        std::thread::scope(|scope| {
            scope.spawn(|| Endpoints::update(&layout, |all| all.router = port(1)).unwrap());
            scope.spawn(|| Endpoints::update(&layout, |all| all.link = port(2)).unwrap());
        });
        let all = Endpoints::read(&layout);
        assert_eq!((all.router, all.link, all.admin), (port(1), port(2), None));
    }
}
