//! Why an agent cannot start.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use link::client::ClientError;

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Docker does not answer.
    #[error(
        "Docker does not answer at `{host}`: start it (`systemctl start docker`), see that this user may use it (group `docker`), or name its socket in BERTH_AGENT_DOCKER_HOST"
    )]
    Docker {
        /// Its address.
        host: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Docker's address is not a Unix socket.
    #[error(
        "`{host}` is no Unix socket: the agent only uses the Docker Engine of its own host, as in BERTH_AGENT_DOCKER_HOST=unix:///var/run/docker.sock"
    )]
    DockerHost {
        /// The address.
        host: String,
    },
    /// Memory, CPUs or identity of the host cannot be read.
    #[error("cannot read what this host has")]
    Host(#[source] io::Error),
    /// The host's address towards the server cannot be determined.
    #[error(
        "cannot find out which address of this host faces the server at `{server}`: name it in BERTH_AGENT_ADVERTISED_ADDRESS"
    )]
    NoAddress {
        /// The server.
        server: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The advertised address is not this host's.
    #[error(
        "ports cannot be published on `{address}`: set BERTH_AGENT_ADVERTISED_ADDRESS to an address of this host"
    )]
    Address {
        /// The address.
        address: IpAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The mirror cannot listen.
    #[error(
        "the image mirror cannot listen on `{address}`: free that port, or set BERTH_AGENT_MIRROR_LISTEN to another loopback address"
    )]
    Mirror {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file in the agent's directory cannot be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The agent cannot join or dial the server.
    #[error("cannot link to the server")]
    Link(#[source] ClientError),
}
