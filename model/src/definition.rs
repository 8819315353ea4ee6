//! Task definitions: which containers run together, with which resources. Field names are ECS's; what Berth does not
//! know it refuses, so nothing that a person wrote is silently dropped.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::image::ImageReference;
use crate::name::{ContainerName, Family};
use crate::resources::Resources;
use crate::time::Timestamp;

/// `family:revision`: an immutable recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinition {
    /// The family.
    pub family: Family,
    /// Its revision, from 1.
    pub revision: u32,
    /// The containers, in the order in which they start.
    pub container_definitions: Vec<ContainerDefinition>,
    /// CPU units of the whole task; the sum of its containers' where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// MiB of memory of the whole task; the sum of its containers' where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// When it was registered.
    pub registered_at: Timestamp,
}

/// `family:revision` as a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision {
    /// The family.
    pub family: Family,
    /// The revision, from 1.
    pub number: u32,
}

/// One container of a task definition. Meanings and units are those of ECS's `ContainerDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerDefinition {
    /// Unique within the task definition.
    pub name: ContainerName,
    /// The image, in Berth's registry.
    pub image: ImageReference,
    /// CPU units: the share under contention. 1024 is one core.
    #[serde(default)]
    pub cpu: u64,
    /// Hard memory limit in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Soft memory limit in MiB: what is reserved at placement when it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u64>,
    /// Whether the task stops when this container does. At least one container is.
    #[serde(default = "yes")]
    pub essential: bool,
    /// Ports that it listens on.
    #[serde(default)]
    pub port_mappings: Vec<PortMapping>,
    /// Environment variables.
    #[serde(default)]
    pub environment: Vec<KeyValue>,
    /// Replaces the image's ENTRYPOINT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    /// Replaces the image's CMD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Replaces the image's WORKDIR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Replaces the image's USER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Mounts the root file system read-only.
    #[serde(default)]
    pub readonly_root_filesystem: bool,
    /// Seconds between SIGTERM and SIGKILL; 30 by default, 3600 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<u32>,
    /// Restarts this container in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
}

/// A port that a container listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PortMapping {
    /// The port in the container.
    pub container_port: u16,
    /// The port on the instance; 0, the default, lets the scheduler choose.
    #[serde(default)]
    pub host_port: u16,
    /// `tcp` or `udp`.
    #[serde(default)]
    pub protocol: TransportProtocol,
    /// A name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a port speaks below HTTP.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum TransportProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for TransportProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct KeyValue {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Restart in place (ECS `ContainerRestartPolicy`): the container starts again under the same task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RestartPolicy {
    /// Whether it is on.
    pub enabled: bool,
    /// Exit codes after which it is not restarted; 50 at most.
    #[serde(default)]
    pub ignored_exit_codes: Vec<i64>,
    /// Seconds that it must have run to be restarted; 60 to 1800, 300 by default.
    #[serde(default = "restart_attempt_period")]
    pub restart_attempt_period: u32,
}

fn yes() -> bool {
    true
}

fn restart_attempt_period() -> u32 {
    300
}

/// CPU units of a container or a task at most: the kernel's largest `cpu.shares`, 256 cores.
pub const MOST_CPU: u64 = 262_144;
/// MiB of a container or a task at most: 16 TiB.
pub const MOST_MEMORY_MIB: u64 = 16 * 1024 * 1024;
/// Bytes of an environment variable with its name at most: the kernel's `MAX_ARG_STRLEN` without the closing NUL, beyond
/// which no program can be started.
pub const MOST_VARIABLE_BYTES: usize = 128 * 1024 - 1;

/// Why a task definition cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// No containers.
    NoContainers,
    /// More than ECS's ten.
    TooManyContainers(usize),
    /// None is essential.
    NoEssential,
    /// Two containers of one name.
    DuplicateContainer(ContainerName),
    /// The same port twice in a task, whose containers share one address.
    DuplicatePort {
        /// The port.
        port: u16,
        /// Its protocol.
        protocol: TransportProtocol,
    },
    /// A figure of the task that cannot be.
    Task {
        /// The field in its JSON spelling.
        field: &'static str,
        /// What was given, or comes of what was.
        value: u64,
        /// What is allowed.
        rule: &'static str,
    },
    /// A value out of its range.
    OutOfRange {
        /// The container.
        container: ContainerName,
        /// The field in its JSON spelling.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
}

impl TaskDefinition {
    /// Its key.
    pub fn key(&self) -> Revision {
        Revision { family: self.family.clone(), number: self.revision }
    }

    /// What a task of it reserves: the task's own figures where they are given, else the sum of its containers'. What is
    /// not said reserves nothing.
    pub fn resources(&self) -> Resources {
        let sum = |of: fn(&ContainerDefinition) -> u64| {
            self.container_definitions.iter().map(of).fold(0, u64::saturating_add)
        };
        let (cpu, memory) = (sum(|container| container.cpu), sum(ContainerDefinition::reserved));
        Resources::new(self.cpu.unwrap_or(cpu), self.memory.unwrap_or(memory))
    }

    /// How many of its containers say nothing of memory, where the task does not either.
    pub fn containers_without_memory(&self) -> usize {
        let unsaid = self.container_definitions.iter().filter(|container| !container.says_memory());
        if self.memory.is_some() { 0 } else { unsaid.count() }
    }

    /// The container of that name.
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerDefinition> {
        self.container_definitions.iter().find(|container| container.name == *name)
    }

    /// Checks what types alone cannot say. Callers check before they propose it; `apply` checks again.
    pub fn check(&self) -> Result<(), DefinitionError> {
        let containers = &self.container_definitions;
        match containers.len() {
            0 => return Err(DefinitionError::NoContainers),
            1..=10 => {}
            more => return Err(DefinitionError::TooManyContainers(more)),
        }
        if !containers.iter().any(|container| container.essential) {
            return Err(DefinitionError::NoEssential);
        }
        let mut names = std::collections::BTreeSet::new();
        let mut ports = std::collections::BTreeSet::new();
        for container in containers {
            if !names.insert(&container.name) {
                return Err(DefinitionError::DuplicateContainer(container.name.clone()));
            }
            for mapping in &container.port_mappings {
                let (port, protocol) = (mapping.container_port, mapping.protocol);
                if !ports.insert((port, protocol)) {
                    return Err(DefinitionError::DuplicatePort { port, protocol });
                }
            }
            container.check()?;
        }
        self.check_sums()
    }

    /// ECS's rules between a task's figures and its containers'.
    fn check_sums(&self) -> Result<(), DefinitionError> {
        let wrong = |field, value: u64, rule| Err(DefinitionError::Task { field, value, rule });
        if let Some(cpu) = self.cpu.filter(|cpu| *cpu == 0 || *cpu > MOST_CPU) {
            return wrong("cpu", cpu, "use 1 to 262144 CPU units; 1024 is one core");
        }
        if let Some(memory) = self.memory.filter(|memory| !(6..=MOST_MEMORY_MIB).contains(memory)) {
            return wrong("memory", memory, "use 6 to 16777216 MiB");
        }
        let containers = &self.container_definitions;
        let cpu = containers.iter().map(|one| one.cpu).fold(0, u64::saturating_add);
        if cpu > self.cpu.unwrap_or(MOST_CPU) {
            return wrong(
                "cpu",
                cpu,
                "what the containers ask for in all is more than the task has",
            );
        }
        let reserved = containers.iter().map(ContainerDefinition::reserved);
        let reserved = reserved.fold(0, u64::saturating_add);
        if reserved > self.memory.unwrap_or(MOST_MEMORY_MIB) {
            return wrong(
                "memory",
                reserved,
                "what the containers reserve in all is more than the task has",
            );
        }
        Ok(())
    }
}

impl ContainerDefinition {
    fn reserved(&self) -> u64 {
        self.memory_reservation.or(self.memory).unwrap_or(0)
    }

    /// Whether it says how much memory it takes.
    pub fn says_memory(&self) -> bool {
        self.memory.is_some() || self.memory_reservation.is_some()
    }

    /// Seconds between SIGTERM and SIGKILL.
    pub fn stop_timeout_secs(&self) -> u32 {
        self.stop_timeout.unwrap_or(30)
    }

    fn check(&self) -> Result<(), DefinitionError> {
        let out_of_range = |field, value: String, rule| {
            Err(DefinitionError::OutOfRange { container: self.name.clone(), field, value, rule })
        };
        if self.cpu > MOST_CPU {
            let rule = "262144 CPU units at most; 1024 is one core";
            return out_of_range("cpu", self.cpu.to_string(), rule);
        }
        if let Some(memory) = self.memory.filter(|memory| *memory < 6) {
            return out_of_range("memory", memory.to_string(), "Docker needs 6 MiB at least");
        }
        let memory = self.memory_reservation.max(self.memory);
        if let Some(memory) = memory.filter(|memory| *memory > MOST_MEMORY_MIB) {
            return out_of_range("memory", memory.to_string(), "16777216 MiB at most");
        }
        if let (Some(soft), Some(hard)) = (self.memory_reservation, self.memory)
            && soft > hard
        {
            let rule = "it must not exceed `memory`";
            return out_of_range("memoryReservation", soft.to_string(), rule);
        }
        if let Some(timeout) = self.stop_timeout.filter(|timeout| *timeout > 3600) {
            return out_of_range("stopTimeout", timeout.to_string(), "3600 seconds at most");
        }
        if self.port_mappings.iter().any(|mapping| mapping.container_port == 0) {
            return out_of_range("containerPort", "0".to_owned(), "use 1 to 65535");
        }
        if let Some(bad) = self.environment.iter().find(|variable| {
            variable.name.is_empty()
                || variable.name.contains(['=', '\0'])
                || variable.value.contains('\0')
        }) {
            let rule = "a variable's name is not empty and has no `=`, and neither name nor value has a NUL";
            return out_of_range("environment", format!("`{}`", bad.name), rule);
        }
        let is_long = |one: &&KeyValue| one.name.len() + 1 + one.value.len() > MOST_VARIABLE_BYTES;
        if let Some(long) = self.environment.iter().find(is_long) {
            let rule = "name and value have 131070 bytes at most: the kernel starts no program with a longer one";
            return out_of_range("environment", format!("`{}`", long.name), rule);
        }
        match &self.restart_policy {
            Some(policy) if policy.ignored_exit_codes.len() > 50 => {
                let count = policy.ignored_exit_codes.len().to_string();
                out_of_range("ignoredExitCodes", count, "50 codes at most")
            }
            Some(policy) if !(60..=1800).contains(&policy.restart_attempt_period) => {
                let period = policy.restart_attempt_period.to_string();
                out_of_range("restartAttemptPeriod", period, "use 60 to 1800 seconds")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family, self.number)
    }
}

/// Text that is not `family:revision`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct RevisionError(pub(crate) String);

impl FromStr for Revision {
    type Err = RevisionError;

    fn from_str(text: &str) -> Result<Self, RevisionError> {
        let wrong = || RevisionError(text.chars().take(300).collect());
        let (family, number) = text.rsplit_once(':').ok_or_else(wrong)?;
        let family = family.parse().ok().ok_or_else(wrong)?;
        let number = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
        Ok(Self { family, number })
    }
}

impl Serialize for Revision {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
