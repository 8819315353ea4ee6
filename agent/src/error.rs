//! What can go wrong between the agent and Docker, the mirror and the registry behind it. Code decides on these types; the
//! sentences for people are in `sentences`.

use std::time::Duration;

use model::{Digest, StopCause, Stopped, Subnet};

/// Why an Op did not work, and so what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OpError {
    /// Docker or the server is away or slow: it is retried without a limit.
    Retry(String),
    /// The instance's network is missing: it is retried without a limit, and the network is made again.
    NetworkMissing(String),
    /// It is retried a limited number of times.
    RetryLimited {
        /// Why, in a sentence.
        reason: String,
        /// What ends the task after the last attempt; None for an Op that only serves to end it.
        cause: Option<StopCause>,
    },
    /// It can never work: the task ends like this.
    Fatal(Stopped),
    /// The container's state is not what the Op assumed, or the outcome is unknown: inspect it, then retry.
    Stale(String),
    /// Docker refuses it for a state that it does not name: inspect the container, then retry a limited number of times,
    /// after which the task ends like this.
    StaleLimited(Stopped),
    /// The container does not exist.
    ContainerMissing,
    /// The image does not exist.
    ImageMissing,
}

/// Why a call of Docker's API brought no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DockerError {
    /// Docker answered with an error.
    Refused {
        /// The HTTP status; 0 for an error inside a stream that began well.
        status: u16,
        /// Docker's message.
        message: String,
    },
    /// There was no answer within this time.
    Timeout(Duration),
    /// It cannot be reached, or its answer cannot be read.
    Unreachable(String),
}

impl std::error::Error for DockerError {}

/// Why the mirror could not serve a pull. Docker's own message about such a pull does not name the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MirrorError {
    /// The registry does not have it.
    NotFound,
    /// The registry does not let this instance read it.
    Denied,
    /// The registry sent nothing for this long.
    Timeout(Duration),
    /// The registry answered with this HTTP status.
    Status(u16),
    /// The connection to the registry failed.
    Broken(String),
    /// The bytes do not hash to the digest that was asked for.
    Corrupt {
        /// The digest that was asked for.
        wanted: Digest,
        /// The digest of what came.
        found: Digest,
    },
}

impl std::error::Error for MirrorError {}

/// Why the instance's network is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NetworkError {
    /// Another network of Docker overlaps the subnet.
    SubnetInUse(Subnet),
    /// Containers still use the network with its former subnet.
    InUse {
        /// The network's name.
        network: String,
        /// The subnets that it has, as text.
        had: String,
        /// The subnet that it should have.
        wanted: Subnet,
        /// How many containers are attached to it.
        containers: usize,
    },
    /// A call of Docker failed.
    Docker {
        /// The network's name.
        network: String,
        /// Docker's error.
        error: DockerError,
    },
}
