//! What an agent is started with.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

/// An agent's settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// The agent's own directory.
    pub dir: PathBuf,
    /// The file that the agent's process holds locked while it runs.
    pub lock: PathBuf,
    /// The server's link address as `HOST:PORT`.
    pub server: String,
    /// The token that it joins with while it has no identity.
    pub join_token: Option<String>,
    /// The instance's name for people.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// Docker's address; its default socket where it is absent.
    pub docker_host: Option<String>,
    /// CPU units that the instance offers; all that the host has where it is absent.
    pub cpu: Option<u64>,
    /// MiB of memory that the instance offers; what the host can spare where it is absent.
    pub memory: Option<u64>,
    /// MiB that a container may write in its own file system.
    pub container_disk: u64,
    /// Where published ports can be reached; the address that faces the server where it is absent.
    pub advertised_address: Option<IpAddr>,
    /// Where the image mirror listens; a free loopback port that is kept where it is absent.
    pub mirror_listen: Option<SocketAddr>,
}
