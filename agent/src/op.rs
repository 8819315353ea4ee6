//! An Op is one step from the actual to the desired state: one call of Docker, for one container of one task. It holds all
//! that the call needs, so that the executor decides nothing, and it is idempotent.

use std::fmt;

use model::{ContainerId, ContainerName, ImageId, PinnedImage, Platform};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Look up the container's image on this host.
    Find {
        /// The container.
        container: ContainerName,
    },
    /// Pull it.
    Pull {
        /// The container.
        container: ContainerName,
    },
    /// Create the container.
    Create {
        /// The container.
        container: ContainerName,
        /// The id of its image.
        image: ImageId,
        /// Its network.
        network: Network,
        /// The signal that stops it. Docker sends no signal at all to a container whose image names none that there is.
        stop_signal: String,
    },
    /// Start it, for the first time or again.
    Start {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
    },
    /// Stop and start it, since the network namespace that it joined is gone.
    Restart {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
        /// Seconds between the signal and SIGKILL.
        timeout_secs: u32,
    },
    /// Send its stop signal.
    Terminate {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
        /// The signal.
        signal: String,
    },
    /// Send SIGKILL.
    Kill {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
    },
    /// Read the last lines of its log.
    Tail {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
    },
    /// Remove it.
    Remove {
        /// The container.
        container: ContainerName,
        /// Docker's id.
        id: ContainerId,
    },
}

/// A container's network: one container of a task owns its address and ports, the others join its namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// The instance's network, at the task's address.
    Own,
    /// The network namespace of the container with this id.
    Of(ContainerId),
}

/// The result of an Op that worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// The image, or None where it is not on this host.
    Found(Option<Found>),
    /// The image was pulled.
    Pulled,
    /// The container's id.
    Created(ContainerId),
    /// It runs.
    Started,
    /// It got the signal.
    Signalled,
    /// The last lines of its log.
    Read(Vec<String>),
    /// It does not exist any more.
    Removed,
}

/// An image on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: ImageId,
    /// Its stop signal, where it has one.
    pub(crate) stop_signal: Option<String>,
    /// Set where it cannot run here.
    pub(crate) unfit: Option<Box<WrongPlatform>>,
}

/// An image that is built for another platform than the host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongPlatform {
    /// The image.
    pub(crate) image: PinnedImage,
    /// What it is built for.
    pub(crate) built_for: Platform,
    /// What the host runs.
    pub(crate) host: Platform,
}

impl Op {
    /// Its container.
    pub(crate) fn container(&self) -> &ContainerName {
        match self {
            Self::Find { container }
            | Self::Pull { container }
            | Self::Create { container, .. }
            | Self::Start { container, .. }
            | Self::Restart { container, .. }
            | Self::Terminate { container, .. }
            | Self::Kill { container, .. }
            | Self::Tail { container, .. }
            | Self::Remove { container, .. } => container,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Self::Find { .. } => "find the image of",
            Self::Pull { .. } => "pull the image of",
            Self::Create { .. } => "create",
            Self::Start { .. } => "start",
            Self::Restart { .. } => "restart",
            Self::Terminate { .. } => "stop",
            Self::Kill { .. } => "kill",
            Self::Tail { .. } => "read the log of",
            Self::Remove { .. } => "remove",
        };
        write!(f, "{verb} container `{}`", self.container())
    }
}
