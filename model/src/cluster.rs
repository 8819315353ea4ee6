//! Clusters, the instances in them, and routers.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::id::{ClusterId, InstallationId, InstanceId, RouterId};
use crate::name::ClusterName;
use crate::resources::Resources;
use crate::time::Timestamp;

/// One set-up of Berth, once it has a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Installation {
    /// Its id.
    pub id: InstallationId,
}

/// A named pool of instances, and the services and tasks on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its id.
    pub id: ClusterId,
    /// Its name; `default` is made at first start.
    pub name: ClusterName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A host with an agent (ECS: container instance).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its id, kept by the agent in its data directory.
    pub id: InstanceId,
    /// The cluster that it joined.
    pub cluster: ClusterName,
    /// What people call it: the host name unless it was given another.
    pub name: String,
    /// What people wish of it. Whether it is there is its lease, which is observed and not kept here.
    pub status: InstanceStatus,
    /// What it offers in total: declared, or what the host has.
    pub capacity: Resources,
    /// What its Docker runs.
    pub platform: Platform,
    /// Which boot of which network namespace it is in.
    pub host: HostIdentity,
    /// Where its published ports can be reached.
    pub advertised_address: IpAddr,
    /// The address that people allow it to advertise although its agent's connection comes from another; None while they
    /// have said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_address: Option<IpAddr>,
    /// The subnet of its Berth network, once the server has chosen one.
    pub subnet: Option<Subnet>,
    /// The last address that was given out, as an offset into the subnet: addresses rotate.
    pub last_address: u32,
    /// The last host port that was given out: ports rotate.
    pub last_port: u16,
    /// Attributes for placement, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whether `berth down` has stopped what runs here, until the next `berth up`: it takes no tasks, and its own stop.
    /// Its status stays what people wish.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspended: bool,
    /// Whether the file system of its Docker was nearly full when its agent said so last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk_low: bool,
    /// The version of its agent.
    pub agent_version: String,
    /// The version of its Docker Engine.
    pub docker_version: String,
    /// Why its agent cannot bound a task as a whole and divides limits over the containers instead, in a sentence; None
    /// where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divides_limits: Option<String>,
    /// When it joined.
    pub registered_at: Timestamp,
}

/// People's wish for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstanceStatus {
    /// Takes new tasks.
    Active,
    /// Takes no new tasks; its service tasks are replaced elsewhere.
    Draining,
}

/// An operating system and CPU architecture, in the words of OCI image configurations, as `linux/amd64`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Platform {
    /// `linux`.
    pub os: String,
    /// `amd64`, `arm64`, ...
    pub architecture: String,
}

impl Platform {
    /// From its two words.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into() }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)
    }
}

/// Which boot of which host, and which network namespace in it. A router that agrees in both can dial a task's own
/// address; any other takes the published one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostIdentity {
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// The inode of `/proc/self/ns/net`, as text.
    pub network_namespace: String,
}

/// An IPv4 subnet as `10.90.3.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subnet(Ipv4Net);

/// Text that is not an IPv4 subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SubnetError(pub(crate) String);

impl Subnet {
    /// The subnet that `address` lies in, with a mask of `prefix` bits (32 at most).
    pub fn new(address: Ipv4Addr, prefix: u8) -> Self {
        Self(Ipv4Net::new_assert(address, prefix.min(32)).trunc())
    }

    /// The subnet that `address` lies in by a mask as `255.255.255.0`; None where its ones are not all in front.
    pub fn with_netmask(address: Ipv4Addr, mask: Ipv4Addr) -> Option<Self> {
        Ipv4Net::with_netmask(address, mask).ok().map(|net| Self(net.trunc()))
    }

    /// Its parts with masks of `prefix` bits, in order; none where they would be larger than the whole.
    pub fn parts(self, prefix: u8) -> impl Iterator<Item = Self> + Clone {
        self.0.subnets(prefix).into_iter().flatten().map(Self)
    }

    /// How many addresses it has, the network's and the broadcast's included.
    pub fn size(self) -> u64 {
        1 << (self.0.max_prefix_len() - self.0.prefix_len())
    }

    /// The address at `offset`; the network itself is 0.
    pub fn address(self, offset: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0.network()).wrapping_add(offset))
    }

    /// The gateway that Docker's bridge takes: the first address.
    pub fn gateway(self) -> Ipv4Addr {
        self.address(1)
    }

    /// The offsets that tasks may have: neither network, gateway nor broadcast.
    pub fn task_offsets(self) -> std::ops::Range<u32> {
        2..u32::try_from(self.size() - 1).unwrap_or(u32::MAX).max(2)
    }

    /// Whether the address lies in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.0.contains(&address)
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        // Of two subnets with an address in common one holds the other.
        self.0.contains(&other.0) || other.0.contains(&self.0)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(text: &str) -> Result<Self, SubnetError> {
        let net: Ipv4Net =
            text.parse().map_err(|_malformed| SubnetError(text.chars().take(80).collect()))?;
        Ok(Self(net.trunc()))
    }
}

impl Serialize for Subnet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subnet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A running `berth router`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Router {
    /// Its id, kept by the router in its data directory.
    pub id: RouterId,
    /// What people call it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it joined.
    pub registered_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_knows_its_addresses() {
        let subnet: Subnet = "10.90.3.7/24".parse().unwrap();
        assert_eq!(subnet.to_string(), "10.90.3.0/24");
        assert_eq!(subnet.gateway(), Ipv4Addr::new(10, 90, 3, 1));
        assert_eq!(subnet.task_offsets(), 2..255);
        assert!(subnet.contains(Ipv4Addr::new(10, 90, 3, 255)));
        assert!(!subnet.contains(Ipv4Addr::new(10, 90, 4, 0)));
        assert!(subnet.overlaps("10.0.0.0/8".parse().unwrap()));
        assert!(!subnet.overlaps("10.90.4.0/24".parse().unwrap()));
        assert!("10.90.3.0/33".parse::<Subnet>().is_err());
        assert!("0.0.0.0/0".parse::<Subnet>().unwrap().overlaps(subnet));
        let mask = |text: &str| Subnet::with_netmask(subnet.address(9), text.parse().unwrap());
        assert_eq!(mask("255.255.255.0"), Some(subnet));
        assert_eq!(mask("255.0.255.0"), None);
        let halves: Vec<String> = subnet.parts(25).map(|half| half.to_string()).collect();
        assert_eq!(halves, ["10.90.3.0/25", "10.90.3.128/25"]);
        assert_eq!(subnet.parts(8).count(), 0);
    }
}
