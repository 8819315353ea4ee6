//! Facts about this host, which the agent reports to the server in its greeting.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;

use link::message::{Hello, HostReport};
use model::{HostIdentity, InstanceId, Resources, Subnet};

use crate::docker::{EngineInfo, Networks};
use crate::owner;
use crate::{Config, Error};

const MEMORY: &str = "/proc/meminfo";
const ROUTES: &str = "/proc/net/route";
/// Memory that is reserved for the host itself: a sixteenth of it, but at least 128 MiB and at most 1 GiB.
const RESERVED_SHARE: u64 = 16;
const RESERVED_MIB: std::ops::RangeInclusive<u64> = 128..=1024;
const CPU_UNITS_PER_CORE: u64 = 1024;
/// Addresses of a route at most: a wider one (a default route, or halves of it as VPNs set them) is no local network that a
/// subnet could collide with.
const WIDEST: u64 = 1 << 24;

/// Facts that do not change while the agent runs.
#[derive(Debug, Clone)]
pub(crate) struct HostInfo {
    name: String,
    version: String,
    capacity: Resources,
    identity: HostIdentity,
    advertised_address: IpAddr,
    divides_limits: Option<String>,
    /// Where Docker's images and containers lie.
    pub(crate) docker_dir: Option<String>,
    /// What this process holds locked.
    pub(crate) lock: PathBuf,
}

impl HostInfo {
    /// Reads them. `divides_limits` says why tasks cannot be bounded as a whole, where they cannot.
    pub(crate) async fn read(
        config: &Config,
        divides_limits: Option<String>,
        docker_dir: Option<String>,
    ) -> Result<Self, Error> {
        let address = match config.advertised_address {
            Some(address) => address,
            None => facing(&config.server)
                .await
                .map_err(|source| Error::NoAddress { server: config.server.clone(), source })?,
        };
        // Docker will bind host ports to it, which fails for an address that the host does not have.
        UdpSocket::bind((address, 0)).map_err(|source| Error::Address { address, source })?;
        let own = match (config.cpu, config.memory) {
            (Some(cpu), Some(memory)) => Resources::new(cpu, memory),
            (cpu, memory) => {
                let cores = std::thread::available_parallelism().map_err(Error::Host)?;
                let text = std::fs::read_to_string(MEMORY).map_err(Error::Host)?;
                Resources::new(
                    cpu.unwrap_or(cores.get() as u64 * CPU_UNITS_PER_CORE),
                    memory.unwrap_or_else(|| offered(&text)),
                )
            }
        };
        Ok(Self {
            name: config.name.clone(),
            version: config.version.clone(),
            capacity: own,
            identity: link::host::identity().map_err(Error::Host)?,
            advertised_address: address,
            divides_limits,
            docker_dir,
            lock: config.lock.clone(),
        })
    }

    /// The greeting, with the subnets that are taken on this host.
    pub(crate) fn hello(&self, about: &EngineInfo, used_subnets: Vec<Subnet>) -> Hello {
        Hello {
            name: self.name.clone(),
            version: self.version.clone(),
            host: Some(HostReport {
                capacity: self.capacity.clone(),
                platform: about.platform.clone(),
                identity: self.identity.clone(),
                advertised_address: self.advertised_address,
                docker_version: about.version.clone(),
                divides_limits: self.divides_limits.clone(),
                used_subnets,
            }),
        }
    }
}

/// The address of this host that faces the server; 127.0.0.1 where the server is dialled on loopback.
async fn facing(server: &str) -> io::Result<IpAddr> {
    let mut found = tokio::net::lookup_host(server).await?;
    let there = found.next().ok_or_else(|| io::Error::other("it has no address"))?;
    if there.ip().is_loopback() {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    let any: IpAddr = match there {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A UDP socket sends nothing when it connects: the kernel only chooses the source address.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(there)?;
    socket.local_addr().map(|address| address.ip())
}

/// MiB of memory for tasks, from `/proc/meminfo`.
fn offered(text: &str) -> u64 {
    let total = field(text, "MemTotal:").unwrap_or_default();
    let reserved = (total / RESERVED_SHARE).clamp(*RESERVED_MIB.start(), *RESERVED_MIB.end());
    total.saturating_sub(reserved)
}

/// MiB of memory that the host has.
pub(crate) fn total_memory() -> Option<u64> {
    field(&std::fs::read_to_string(MEMORY).ok()?, "MemTotal:")
}

/// MiB of memory that processes can still get without swapping.
pub(crate) fn available_memory() -> Option<u64> {
    field(&std::fs::read_to_string(MEMORY).ok()?, "MemAvailable:")
}

/// A line of `/proc/meminfo`, which counts in KiB, in MiB.
fn field(text: &str, name: &str) -> Option<u64> {
    let of_line =
        |line: &str| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse::<u64>().ok();
    text.lines().find_map(of_line).map(|kibibytes| kibibytes / 1024)
}

/// The subnets that are in use on this host: those of Docker's networks and of its routes, but not of the instance's own
/// network. Before the instance's id is known all networks of Berth are left out.
pub(crate) fn used_subnets(networks: &Networks, instance: Option<InstanceId>) -> Vec<Subnet> {
    let routes = std::fs::read_to_string(ROUTES).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot read `{ROUTES}`");
        String::new()
    });
    taken(networks, instance, &routes)
}

fn taken(networks: &Networks, instance: Option<InstanceId>, routes: &str) -> Vec<Subnet> {
    let (own, others): (Vec<_>, Vec<_>) = networks.0.iter().partition(|network| match instance {
        Some(instance) => owner::is_of(&network.labels, instance),
        None => owner::is_berths(&network.labels),
    });
    let own_bridges: Vec<String> = own.iter().map(|network| bridge(&network.id)).collect();
    let routed = routes.lines().skip(1).filter_map(route);
    let routed =
        routed.filter(|(device, subnet)| !own_bridges.contains(device) && subnet.size() <= WIDEST);
    let mut taken: Vec<Subnet> = others
        .iter()
        .flat_map(|network| network.subnets.iter().copied())
        .chain(routed.map(|(_, subnet)| subnet))
        .collect();
    taken.sort();
    taken.dedup();
    taken
}

/// The network interface of a bridge network, as Docker names it.
fn bridge(id: &str) -> String {
    format!("br-{}", id.get(..12).unwrap_or(id))
}

/// A line of `/proc/net/route`: interface, destination and, as the eighth field, mask, in network byte order.
fn route(line: &str) -> Option<(String, Subnet)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let address = |index: usize| {
        let number = u32::from_str_radix(fields.get(index)?, 16).ok()?;
        Some(Ipv4Addr::from(number.swap_bytes()))
    };
    let subnet = Subnet::with_netmask(address(1)?, address(7)?)?;
    Some(((*fields.first()?).to_owned(), subnet))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::NetworkInfo;
    use crate::tests::owner;

    const TABLE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0
br-c8e79a630d98\t0007630A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
wg0\t0000000A\t00000000\t0001\t0\t0\t0\t000000FF\t0\t0\t0
";

    fn network(id: &str, labels: owner::Labels, subnet: &str) -> NetworkInfo {
        let subnets = vec![subnet.parse().unwrap()];
        NetworkInfo { id: id.to_owned(), name: id.to_owned(), labels, subnets }
    }

    fn shown(networks: &Networks, instance: Option<InstanceId>) -> Vec<String> {
        taken(networks, instance, TABLE).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn taken_is_what_docker_and_the_routes_use_but_not_the_own_network() {
        let own = network("c8e79a630d98aaaa", owner().labels(), "10.99.7.0/24");
        let other = network("bbbb", owner::Labels::new(), "172.17.0.0/16");
        let networks = Networks(vec![own, other]);
        assert_eq!(
            shown(&networks, Some(owner().instance)),
            ["10.0.0.0/8", "172.17.0.0/16", "192.0.2.0/24"],
            "neither the default route nor half the world is a network"
        );
    }

    #[test]
    fn other_instances_of_berth_on_the_host_count_once_it_is_known_who_this_is() {
        let other = InstanceId::new(model::Timestamp::EPOCH, [9; 10]);
        let labels = owner::Owner { instance: other, ..owner() }.labels();
        let networks = Networks(vec![network("c8e79a630d98aaaa", labels, "10.99.7.0/24")]);
        assert!(shown(&networks, Some(owner().instance)).contains(&"10.99.7.0/24".to_owned()));
        assert!(!shown(&networks, None).contains(&"10.99.7.0/24".to_owned()));
    }

    #[test]
    fn memory_is_offered_but_for_a_share_of_the_host() {
        assert_eq!(offered("MemTotal:       16384000 kB\nMemFree: 1 kB\n"), 16_000 - 1_000);
        assert_eq!(offered("MemTotal: 524288 kB\n"), 512 - 128);
        assert_eq!(offered("nothing"), 0);
    }

    #[tokio::test]
    async fn an_agent_beside_its_server_publishes_on_loopback_only() {
        for server in ["127.0.0.1:7071", "127.0.0.9:7071", "[::1]:7071", "localhost:7071"] {
            assert_eq!(facing(server).await.unwrap(), Ipv4Addr::LOCALHOST, "{server}");
        }
    }
}
