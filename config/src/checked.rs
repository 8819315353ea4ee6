//! What a configuration is made of, by what it is for.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;
use model::{LeaseTimes, Region};

use crate::origin::Origin;

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--config`.
    pub file: Option<PathBuf>,
    /// Single settings as key and value; later ones win.
    pub settings: Vec<(String, String)>,
}

/// Everything that an operator can set, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where all data lies.
    pub data_dir: PathBuf,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What is logged and how.
    pub log: Log,
    /// The registry's address: on loopback.
    pub registry_listen: SocketAddr,
    /// MiB that pushes leave free on the registry's disk; a part of it unless it is set.
    pub registry_low_water: Option<u64>,
    /// The admin API's address: on loopback.
    pub admin_listen: SocketAddr,
    /// Where agents and routers dial in; mutual TLS, so it may be any address.
    pub link: Link,
    /// The router.
    pub router: Router,
    /// The agent.
    pub agent: Agent,
    /// How long a peer may be silent before it counts as suspect, disconnected and lost.
    pub lease: LeaseTimes,
    /// Host ports for mappings that leave the choice to the scheduler.
    pub port_range: RangeInclusive<u16>,
    /// The region in the ARNs of this installation.
    pub region: Region,
    /// How commands find Berth.
    pub client: Client,
    /// A token to join with, once.
    pub join_token: Option<String>,
    /// Whether output may be coloured.
    pub color: bool,
    /// Every setting with its value and where it came from, in the order of [`SETTINGS`](crate::SETTINGS).
    pub shown: Vec<Shown>,
}

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Lines for people or objects for machines.
    pub format: LogFormat,
    /// A filter as `info` or `info,link=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The link between the server and its peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// `host:port` that other hosts dial, where it is not the address that the server listens on.
    pub advertised_address: Option<String>,
    /// `host:port` that an agent or router of this data directory dials; the local server unless it is set.
    pub server: Option<String>,
}

/// The router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Router {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether plain HTTP/1.1 takes its short path.
    pub lean: bool,
    /// The proxies before it whose word on clients counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Its name for people.
    pub name: String,
}

/// The agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// Its instance's name for people.
    pub name: String,
    /// Docker's address, as in `unix:///var/run/docker.sock`.
    pub docker_host: Option<String>,
    /// CPU units that the instance offers; what the host has unless it is set.
    pub cpu: Option<u64>,
    /// MiB of memory that the instance offers; what the host has unless it is set.
    pub memory: Option<u64>,
    /// MiB that a container may write in its own file system.
    pub container_disk: u64,
    /// Where the instance's published ports can be reached; the address that faces the server unless it is set.
    pub advertised_address: Option<IpAddr>,
    /// Where the image mirror listens: on loopback.
    pub mirror_listen: Option<SocketAddr>,
}

/// How commands find Berth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The admin API's URL; the local one unless it is set.
    pub url: Option<String>,
    /// A token; the one in the data directory unless it is set.
    pub token: Option<String>,
}

/// A setting as it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its key.
    pub key: &'static str,
    /// Its value in the file's spelling; None when it is not set. Never a secret.
    pub value: Option<String>,
    /// Where it came from.
    pub origin: Origin,
}
