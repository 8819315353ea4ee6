//! What a refusal of Docker is about. The HTTP status decides where it can. Where several faults share a status, and inside
//! the stream of a pull, which has none, Docker gives nothing but the text of its message: every text that the agent looks
//! for stands in this file, and each is held by messages in `tests` with the versions of Docker Engine that word them so.

/// What a refusal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DockerFault {
    /// The engine starts or shuts down.
    Restarting,
    /// Status 409: the object is in a state in which the call makes no sense.
    Conflict,
    /// Status 404, and the text does not tell of what.
    NotFound,
    /// No such container.
    ContainerNotFound,
    /// No such image.
    ImageNotFound,
    /// No such network.
    NetworkNotFound,
    /// The container whose network namespace it joins does not run.
    NetworkOwnerStopped,
    /// A host port is bound by something else.
    HostPortInUse,
    /// The container's IP address is used by another endpoint of the network.
    AddressInUse,
    /// The host has no such IP address, or the network's subnets do not hold it.
    AddressUnavailable,
    /// The disk is full.
    DiskFull,
    /// The image is not built for the platform.
    PlatformMismatch,
    /// The registry does not have the manifest.
    ManifestUnknown,
    /// The container's command cannot be executed.
    Command(CommandFault),
    /// Anything else.
    Other,
}

/// Why a container's command cannot be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommandFault {
    /// It is a program of another architecture, or no program.
    WrongFormat,
    /// The image has no such file.
    NotFound,
    /// Its user may not execute it.
    NotExecutable,
    /// The image does not know the user.
    UnknownUser,
}

/// Texts that stand for a fault, whatever the status. The first that is found counts.
const TEXTS: [(DockerFault, &[&str]); 9] = [
    (
        DockerFault::Restarting,
        &[
            "context canceled",
            "transport is closing",
            "connection error: desc",
            "containerd.sock",
            "shutting down",
            "the daemon is not ready",
        ],
    ),
    (DockerFault::NetworkOwnerStopped, &["cannot join network of a non running container"]),
    (DockerFault::DiskFull, &["no space left on device"]),
    (
        DockerFault::AddressUnavailable,
        &["cannot assign requested address", "does not belong to any of this network's subnets"],
    ),
    (
        DockerFault::HostPortInUse,
        &["port is already allocated", "bind: address already in use", "failed to bind host port"],
    ),
    (DockerFault::AddressInUse, &["Address already in use"]),
    (
        DockerFault::PlatformMismatch,
        &["no matching manifest for", "does not match the specified platform"],
    ),
    (DockerFault::ManifestUnknown, &["manifest unknown"]),
    (DockerFault::ImageNotFound, &["No such image"]),
];

impl DockerFault {
    /// The fault behind an answer.
    pub(crate) fn of(status: u16, message: &str) -> Self {
        let by_text =
            TEXTS.iter().find(|(_, texts)| texts.iter().any(|text| message.contains(text)));
        match (status, by_text) {
            (_, Some((fault, _))) => *fault,
            (409, None) => Self::Conflict,
            _ if message.contains("network") && message.contains("not found") => {
                Self::NetworkNotFound
            }
            (404, None) if message.contains("No such container") => Self::ContainerNotFound,
            (404, None) => Self::NotFound,
            (_, None) => CommandFault::of(message).map_or(Self::Other, Self::Command),
        }
    }
}

impl CommandFault {
    /// What a message of the container runtime or of Docker's init says about a command.
    pub(crate) fn of(message: &str) -> Option<Self> {
        let lower = message.to_ascii_lowercase();
        let has = |text: &str| lower.contains(text);
        if has("exec format error") {
            Some(Self::WrongFormat)
        } else if has("no such file or directory") || has("executable file not found") {
            Some(Self::NotFound)
        } else if has("permission denied") {
            Some(Self::NotExecutable)
        } else if has("unable to find user") {
            Some(Self::UnknownUser)
        } else {
            None
        }
    }
}

/// Whether a network could not be created because another one overlaps its subnet: status 403 or, where a version answers
/// with another one, the text.
pub(crate) fn is_subnet_overlap(status: u16, message: &str) -> bool {
    status == 403 || message.contains("overlaps")
}

/// What Docker's init (tini, `docker-init`) wrote when it could not execute the command: the text behind
/// `[FATAL tini (PID)]`. Its exit code alone may also be the command's own.
pub(crate) fn init_error(lines: &[String]) -> Option<&str> {
    lines.iter().rev().find_map(|line| {
        let (_, cause) = line.split_once("[FATAL tini")?.1.split_once("] ")?;
        Some(cause)
    })
}

#[cfg(test)]
mod tests;
