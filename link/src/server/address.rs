//! Which address of an agent's host is believed. Routers dial it, so an agent that could name any would have them probe and
//! serve whatever it likes.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use model::{InstanceId, State};

use crate::certificate::PeerId;
use crate::message::Hello;
use crate::sentence;

/// An address that its agent may not advertise unless an administrator allows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", sentence::address_not_allowed(*instance, *advertised, *seen_from))]
pub(super) struct AddressNotAllowed {
    instance: InstanceId,
    advertised: IpAddr,
    seen_from: IpAddr,
}

/// Checks what an agent advertises: the address that its connection comes from, or the one that people have allowed it.
/// Where they have allowed none, it may keep the one that it has.
pub(super) fn check(
    state: &State,
    peer: PeerId,
    hello: &Hello,
    source: IpAddr,
) -> Result<(), AddressNotAllowed> {
    let (PeerId::Instance(instance), Some(host)) = (peer, &hello.host) else { return Ok(()) };
    let advertised = host.advertised_address;
    let known = state.instance(instance);
    let allowed = known.map(|known| known.allowed_address.unwrap_or(known.advertised_address));
    if allowed == Some(advertised) || proves(source, advertised) {
        return Ok(());
    }
    Err(AddressNotAllowed { instance, advertised, seen_from: source.to_canonical() })
}

/// The address that a new instance is registered with.
pub(super) fn of_newcomer(advertised: IpAddr, source: IpAddr) -> IpAddr {
    if proves(source, advertised) { advertised } else { source.to_canonical() }
}

/// Whether a connection from `source` proves that the host has the address. One from an address of this very host, loopback
/// among them, proves all addresses of it: which of them it comes from is the kernel's choice, or that of Docker's NAT.
fn proves(source: IpAddr, advertised: IpAddr) -> bool {
    let (source, advertised) = (source.to_canonical(), advertised.to_canonical());
    let is_a_hosts = !advertised.is_unspecified() && !advertised.is_multicast();
    source == advertised || (is_a_hosts && is_ours(source) && is_ours(advertised))
}

/// Whether this host has the address: only then can a socket be bound to it.
fn is_ours(address: IpAddr) -> bool {
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_connection_proves_its_own_source_and_one_of_this_host_all_that_the_host_has() {
        for (source, advertised, is_proven) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("::ffff:192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.8", false),
            ("192.0.2.7", "127.0.0.1", false),
            ("192.0.2.7", "0.0.0.0", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("::1", "127.0.0.3", true),
            ("127.0.0.1", "192.0.2.7", false),
            ("127.0.0.1", "0.0.0.0", false),
            ("127.0.0.1", "224.0.0.1", false),
        ] {
            let found = proves(address(source), address(advertised));
            assert_eq!(found, is_proven, "{advertised} by a connection from {source}");
        }
    }

    #[test]
    fn a_newcomer_that_proves_nothing_is_registered_with_where_it_comes_from() {
        let (lie, source) = (address("10.0.0.1"), address("::ffff:192.0.2.7"));
        assert_eq!(of_newcomer(lie, source), address("192.0.2.7"));
        assert_eq!(of_newcomer(address("192.0.2.7"), source), address("192.0.2.7"));
    }
}
