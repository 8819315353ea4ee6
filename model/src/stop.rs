//! Why a task stops: a code as ECS has it, a cause that code decides on, and a sentence for people.

use serde::de::value::Error as Unknown;
use serde::de::{Deserializer, IntoDeserializer as _};
use serde::{Deserialize, Serialize};

/// Why a task stops or stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Stopped {
    /// ECS's code.
    pub code: StopCode,
    /// A sentence for people (ECS `stoppedReason`). Nothing decides on it.
    pub reason: String,
    /// What stopped it. None where an older version wrote it down, where an agent did not say, or where a later version
    /// named one that this version does not know.
    #[serde(default, deserialize_with = "known_cause", skip_serializing_if = "Option::is_none")]
    pub cause: Option<StopCause>,
}

impl Stopped {
    /// With the code that goes with the cause.
    pub fn new(cause: StopCause, reason: impl Into<String>) -> Self {
        Self { code: cause.code(), reason: reason.into(), cause: Some(cause) }
    }
}

/// One that is not known is none: an agent of a later version must not lose its link by it.
fn known_cause<'de, D: Deserializer<'de>>(from: D) -> Result<Option<StopCause>, D::Error> {
    let name = Option::<String>::deserialize(from)?;
    let known = |name: String| {
        let name: serde::de::value::StringDeserializer<Unknown> = name.into_deserializer();
        StopCause::deserialize(name).ok()
    };
    Ok(name.and_then(known))
}

/// ECS's `stopCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StopCode {
    /// It never reached RUNNING: no room, no image, not created, not started.
    TaskFailedToStart,
    /// An essential container exited.
    EssentialContainerExited,
    /// A person stopped it.
    UserInitiated,
    /// A deployment, a smaller desired count, or failed health checks.
    ServiceSchedulerInitiated,
    /// Its instance is lost, or could not give what it had promised (a host port that somebody else took).
    InfrastructureHealth,
}

/// What stops a task, finer than ECS's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StopCause {
    /// No instance takes it.
    NoInstanceFits,
    /// Its image, or a part of it, is not in the registry any more.
    ImageMissing,
    /// The registry does not let the instance read its image.
    ImageDenied,
    /// Its image is not what its digest names.
    ImageDamaged,
    /// Its image is not built for the instance's platform.
    ImagePlatform,
    /// Its image cannot be pulled for another reason.
    ImagePull,
    /// Docker refuses to create a container of it.
    ContainerNotCreated,
    /// Docker refuses to start a container of it.
    ContainerNotStarted,
    /// A host port of it is taken by something that is not Berth's.
    PortTaken,
    /// Its address is taken by something that is not Berth's.
    AddressTaken,
    /// The name of a container of it is taken by one that is not Berth's.
    NameTaken,
    /// The instance has no room on its disk.
    DiskFull,
    /// The instance's network does not have the addresses that it should.
    NetworkMismatch,
    /// An essential container exited.
    ContainerExited,
    /// An essential container exited since its command cannot be run.
    CommandNotRun,
    /// An essential container went over its limit of memory.
    OutOfMemory,
    /// A container wrote more in its own file system than it may.
    DiskLimit,
    /// An essential container was removed, but not by Berth.
    ContainerRemoved,
    /// Its containers ended with Docker itself: its daemon or the host was restarted.
    DockerRestarted,
    /// It never passed its health checks.
    NeverHealthy,
    /// It was healthy, and failed its health checks since.
    TurnedUnhealthy,
    /// Another deployment took its place.
    Replaced,
    /// Fewer tasks are desired.
    ScaledIn,
    /// Its service is removed.
    ServiceRemoved,
    /// Its instance is being drained.
    InstanceDraining,
    /// Its instance has not been heard of for too long.
    InstanceLost,
    /// Its instance was removed.
    InstanceRemoved,
    /// A person stopped it.
    UserRequest,
    /// The whole installation is being stopped.
    InstallationDown,
}

impl StopCause {
    /// ECS's code for it.
    pub const fn code(self) -> StopCode {
        match self {
            Self::NoInstanceFits
            | Self::ImageMissing
            | Self::ImageDenied
            | Self::ImageDamaged
            | Self::ImagePlatform
            | Self::ImagePull
            | Self::ContainerNotCreated
            | Self::ContainerNotStarted => StopCode::TaskFailedToStart,
            Self::ContainerExited
            | Self::CommandNotRun
            | Self::OutOfMemory
            | Self::DiskLimit
            | Self::ContainerRemoved => StopCode::EssentialContainerExited,
            Self::NeverHealthy
            | Self::TurnedUnhealthy
            | Self::Replaced
            | Self::ScaledIn
            | Self::ServiceRemoved
            | Self::InstanceDraining => StopCode::ServiceSchedulerInitiated,
            Self::PortTaken
            | Self::AddressTaken
            | Self::NameTaken
            | Self::DiskFull
            | Self::NetworkMismatch
            | Self::DockerRestarted
            | Self::InstanceLost
            | Self::InstanceRemoved => StopCode::InfrastructureHealth,
            Self::UserRequest | Self::InstallationDown => StopCode::UserInitiated,
        }
    }

    /// Whether it failed its health checks, before or after it was healthy.
    pub const fn is_failed_health(self) -> bool {
        matches!(self, Self::NeverHealthy | Self::TurnedUnhealthy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_older_version_wrote_reads_without_a_cause() {
        let old = r#"{"code":"UserInitiated","reason":"stopped by user/admin"}"#;
        let stopped: Stopped = serde_json::from_str(old).unwrap();
        assert_eq!((stopped.code, stopped.cause), (StopCode::UserInitiated, None));
        assert_eq!(serde_json::to_string(&stopped).unwrap(), old);
    }

    #[test]
    fn a_cause_is_written_by_its_name_and_brings_its_code() {
        let stopped = Stopped::new(StopCause::OutOfMemory, "too much");
        let json =
            r#"{"code":"EssentialContainerExited","reason":"too much","cause":"OutOfMemory"}"#;
        assert_eq!(serde_json::to_string(&stopped).unwrap(), json);
        assert_eq!(serde_json::from_str::<Stopped>(json).unwrap(), stopped);
    }

    #[test]
    fn a_cause_of_a_later_version_is_read_as_none_and_the_rest_as_it_is() {
        let later = r#"{"code":"InfrastructureHealth","reason":"too hot","cause":"Overheated"}"#;
        let stopped: Stopped = serde_json::from_str(later).unwrap();
        assert_eq!((stopped.code, stopped.cause), (StopCode::InfrastructureHealth, None));
        assert_eq!(stopped.reason, "too hot");
    }
}
