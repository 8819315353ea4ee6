//! One Op is one step on the way from what is to what is wanted: one Docker call, for one container of one task. It names all
//! that it needs, so that who performs it decides nothing, and performing it twice is harmless.

use std::fmt;

use model::{ContainerName, PinnedImage, Platform};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    /// Look whether the container's image is on this host.
    Find {
        /// Of which container.
        container: ContainerName,
    },
    /// Pull it.
    Pull {
        /// Of which container.
        container: ContainerName,
    },
    /// Create the container.
    Create {
        /// Which.
        container: ContainerName,
        /// From the image of this id.
        image: String,
        /// In this network.
        network: Network,
    },
    /// Start it, for the first time or again.
    Start {
        /// Which.
        container: ContainerName,
        /// Docker's id.
        id: String,
    },
    /// Stop and start it, since the network that it has joined is gone.
    Restart {
        /// Which.
        container: ContainerName,
        /// Docker's id.
        id: String,
        /// Seconds between the signal and SIGKILL.
        timeout_secs: u32,
    },
    /// Ask it to stop.
    Terminate {
        /// Which.
        container: ContainerName,
        /// Docker's id.
        id: String,
        /// By this signal.
        signal: String,
    },
    /// Kill it.
    Kill {
        /// Which.
        container: ContainerName,
        /// Docker's id.
        id: String,
    },
    /// Read its last lines.
    Tail {
        /// Of which container.
        container: ContainerName,
        /// Docker's id.
        id: String,
    },
    /// Remove it.
    Remove {
        /// Which.
        container: ContainerName,
        /// Docker's id.
        id: String,
    },
}

/// A container's network: one of a task has the address and the ports, the others share them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Network {
    /// The instance's network, at the task's address.
    Own,
    /// That of the container with this id.
    Of(String),
}

/// What an Op that worked has brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    /// The image, or that it is not there.
    Found(Option<Found>),
    /// The image is there now.
    Pulled,
    /// The container's id.
    Created(String),
    /// It runs.
    Started,
    /// It was told to stop, or killed.
    Signalled,
    /// Its last lines.
    Read(Vec<String>),
    /// It is no longer there.
    Removed,
}

/// An image on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its id.
    pub(crate) id: String,
    /// The signal that stops its containers, where it names one.
    pub(crate) stop_signal: Option<String>,
    /// Set where it cannot run here.
    pub(crate) unfit: Option<WrongPlatform>,
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
    /// The container that it is about.
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
