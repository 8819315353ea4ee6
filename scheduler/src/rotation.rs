//! Addresses and host ports are given out in rotation, so that one that is free again is the last to be used again.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use model::{
    ContainerName, InstallationId, InstanceId, PortBinding, PortMapping, Subnet, TransportProtocol,
};

use crate::hash::fnv1a;

/// Host ports that are taken.
pub(crate) type Ports = HashSet<(TransportProtocol, u16)>;

/// The first free offset after the one that was given out last.
pub(crate) fn address(subnet: Subnet, last: u32, taken: &HashSet<Ipv4Addr>) -> Option<u32> {
    let offsets = subnet.task_offsets();
    let after = offsets.start.max(last.saturating_add(1)).min(offsets.end);
    let mut turn = (after..offsets.end).chain(offsets.start..after);
    turn.find(|offset| !taken.contains(&subnet.address(*offset)))
}

/// A host port for each mapping: its own where it names one, else the next free one from `from` on. None where there are
/// too few.
pub(crate) fn ports(
    mappings: &[(ContainerName, PortMapping)],
    from: u16,
    range: &RangeInclusive<u16>,
    taken: &Ports,
) -> Option<Vec<PortBinding>> {
    let (start, end) = (*range.start(), *range.end());
    let mut turn = (from..=end).chain(start..from);
    // A port that is named is not chosen for another mapping of the same task.
    let named: Ports = mappings.iter().map(|(_, m)| (m.protocol, m.host_port)).collect();
    let bindings = mappings.iter().map(|(container, mapping)| {
        let protocol = mapping.protocol;
        let is_free =
            |port: &u16| !taken.contains(&(protocol, *port)) && !named.contains(&(protocol, *port));
        let host_port = match mapping.host_port {
            0 => turn.find(is_free)?,
            fixed => fixed,
        };
        let container_port = mapping.container_port;
        let container = container.clone();
        Some(PortBinding { container, container_port, protocol, host_port })
    });
    bindings.collect()
}

/// The last of the bindings that was chosen here: the instance's cursor moves there.
pub(crate) fn last_chosen(
    mappings: &[(ContainerName, PortMapping)],
    bindings: &[PortBinding],
) -> Option<u16> {
    let pairs = mappings.iter().zip(bindings).rev();
    let mut chosen = pairs.filter(|((_, mapping), _)| mapping.host_port == 0);
    chosen.next().map(|(_, binding)| binding.host_port)
}

/// The port after this one, in a circle.
pub(crate) fn after(port: u16, range: &RangeInclusive<u16>) -> u16 {
    if port >= *range.end() { *range.start() } else { port + 1 }
}

/// Where an instance begins: installations that share a host begin at different ports, so that they seldom want the same.
pub(crate) fn first_port(
    installation: Option<InstallationId>,
    instance: InstanceId,
    range: &RangeInclusive<u16>,
) -> u16 {
    let hash = fnv1a(&format!("{installation:?}/{instance}"));
    let count = u64::from(range.end().saturating_sub(*range.start())) + 1;
    let step = u16::try_from((hash >> 16) % count).unwrap_or(0);
    range.start().saturating_add(step)
}
