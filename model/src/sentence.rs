//! Every sentence that this crate says to people. Nothing decides on one: with the feature `reworded` all of them come out
//! as other words, and whatever still works does not read them.

use std::fmt;

use crate::cluster::InstanceStatus;
use crate::history::{EventKind, InstanceEventKind, ServiceEvent};
use crate::id::DeploymentId;
use crate::name::ServiceName;
use crate::placement::{FilterReason, FilteredInstances, PlacementFailure};
use crate::resources::{Dimension, Shortfall};
use crate::service::{DeploymentCause, DeploymentFailure};

mod error;

/// A sentence for people. Each room's renderer hands what it says through here.
///
/// With the feature `reworded` every word that is a plain word comes out as another one; names in backticks, numbers and
/// paths stay.
#[cfg(not(feature = "reworded"))]
pub fn say(sentence: impl Into<String>) -> String {
    sentence.into()
}

/// A sentence for people, reworded: each letter of a plain word is replaced by the next one of the alphabet.
#[cfg(feature = "reworded")]
pub fn say(sentence: impl Into<String>) -> String {
    let next = |letter: char| match letter {
        'a'..='y' | 'A'..='Y' => char::from_u32(u32::from(letter) + 1).unwrap_or(letter),
        'z' => 'a',
        'Z' => 'A',
        other => other,
    };
    let is_plain = |word: &str| {
        let end = |c: char| ".,:;()".contains(c);
        word.trim_matches(end).chars().all(|c| c.is_ascii_alphabetic() || "'-".contains(c))
    };
    let sentence: String = sentence.into();
    let words = sentence.split(' ').map(|word| {
        if is_plain(word) { word.chars().map(next).collect() } else { word.to_owned() }
    });
    words.collect::<Vec<String>>().join(" ")
}

impl fmt::Display for PlacementFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::ImageNotPushed { image } => say(format!("image `{image}` has not been pushed yet")),
            Self::NoInstanceFits { cluster, instances, .. } if instances.is_empty() => {
                say(format!("no instance fits: cluster `{cluster}` has none"))
            }
            Self::NoInstanceFits { cluster: _, instances, .. } => say(no_instance_fits(instances)),
            Self::NoLegalStep {
                desired,
                minimum,
                maximum,
                minimum_healthy_percent,
                maximum_percent,
            } => say(format!(
                "no step is legal: of {desired} desired tasks, maximumPercent {maximum_percent} allows {maximum} at most \
                 and minimumHealthyPercent {minimum_healthy_percent} needs {minimum} healthy; raise the one or lower the \
                 other"
            )),
            Self::HealthUnknown => say("no router is connected that could tell whether its tasks are healthy; the \
                                        deployment waits"),
            Self::Sentence(sentence) => sentence.clone(),
        })
    }
}

impl PlacementFailure {
    /// What people can do about it, for a service of that name; it fits what is lacking. None where nothing but waiting helps.
    pub fn advice(&self, service: &ServiceName) -> Option<String> {
        let mut advice: Vec<String> = match self {
            Self::NoInstanceFits { instances, .. } if instances.is_empty() => {
                vec!["add a host with `berth instance join-token`".to_owned()]
            }
            Self::NoInstanceFits { instances, .. } => {
                instances.iter().flat_map(|instances| reason_advice(&instances.reason)).collect()
            }
            Self::HealthUnknown => vec!["start a router: `berth up`, or `berth router`".to_owned()],
            Self::ImageNotPushed { .. } | Self::NoLegalStep { .. } | Self::Sentence(_) => {
                Vec::new()
            }
        };
        if let Self::NoInstanceFits { is_held_by_own: true, .. } = self {
            advice.push(format!(
                "or let the old task stop first: `berth service update {service} --minimum-healthy-percent 0`"
            ));
        }
        advice.dedup();
        (!advice.is_empty()).then(|| say(advice.join("; ")))
    }
}

fn reason_advice(reason: &FilterReason) -> Vec<String> {
    let advice: &[&str] = match reason {
        FilterReason::InsufficientResources { shortfalls } => {
            let flag = |short: &Shortfall| match short.dimension {
                Dimension::Cpu => "--cpu".to_owned(),
                Dimension::Memory => "--memory".to_owned(),
                Dimension::Named(ref name) => name.clone(),
            };
            let flags: Vec<_> = shortfalls.iter().map(flag).collect();
            return vec![format!(
                "stop something, ask for less with {}, or add a host with `berth instance join-token`",
                flags.join(" and ")
            )];
        }
        FilterReason::Platform { instance, .. } => {
            return vec![format!(
                "push an image that is built for it: `docker buildx build --platform {instance} --push`"
            )];
        }
        FilterReason::PortTaken { port, .. } => {
            return vec![format!(
                "stop what holds port {port} there, or leave the choice to Berth with hostPort 0"
            )];
        }
        FilterReason::NoAddress | FilterReason::NoPort | FilterReason::UsedUp => {
            &["stop some tasks there, or add a host with `berth instance join-token`"]
        }
        FilterReason::Draining => &["`berth instance activate NAME` lets it take tasks again"],
        FilterReason::Suspended => &["`berth up` on that host lets it take tasks again"],
        FilterReason::NotConnected => &["start its agent: `berth up` on that host"],
        FilterReason::NoSubnet => &[],
    };
    advice.iter().map(|one| (*one).to_owned()).collect()
}

fn no_instance_fits(instances: &[FilteredInstances]) -> String {
    if let [FilteredInstances { count: _, reason: FilterReason::NotConnected }] = instances {
        return "no instance is connected".to_owned();
    }
    let parts: Vec<_> = instances.iter().map(filtered).collect();
    format!("no instance fits: {}", parts.join(", "))
}

fn filtered(instances: &FilteredInstances) -> String {
    let FilteredInstances { count, reason } = instances;
    let verb = |one: &str, more: &str| format!("{count} {}", if *count == 1 { one } else { more });
    match reason {
        FilterReason::InsufficientResources { shortfalls } => {
            let lacks: Vec<_> = shortfalls.iter().map(lack).collect();
            format!("{} {}", verb("lacks", "lack"), lacks.join(" and "))
        }
        FilterReason::Platform { image, instance } => {
            let image: Vec<_> = image.iter().map(ToString::to_string).collect();
            let image = image.join(", ");
            format!("{count} cannot run the image ({image} image, instance is {instance})")
        }
        FilterReason::PortTaken { port, protocol } => {
            format!("{} host port {port}/{protocol} in use", verb("has", "have"))
        }
        FilterReason::NoAddress => format!("{} no free address", verb("has", "have")),
        FilterReason::NoPort => format!("{} no free host port", verb("has", "have")),
        FilterReason::UsedUp => format!("{} no free address or host port", verb("has", "have")),
        FilterReason::NoSubnet => format!("{} no subnet yet", verb("has", "have")),
        FilterReason::Draining => verb("is draining", "are draining"),
        FilterReason::Suspended => {
            format!("{} suspended by `berth down`", verb("is", "are"))
        }
        FilterReason::NotConnected => verb("is not connected", "are not connected"),
    }
}

fn lack(short: &Shortfall) -> String {
    let Shortfall { dimension, needed, free } = short;
    match dimension {
        Dimension::Memory => format!("memory (need {needed} MiB, {free} free)"),
        Dimension::Cpu => format!("CPU (need {needed} units, {free} free)"),
        Dimension::Named(name) => format!("{name} (need {needed}, {free} free)"),
    }
}

impl fmt::Display for DeploymentFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::TasksFailed { count, last, unproven_settings } => {
                let reason = last.as_ref().map(|last| format!(", the last one: {}", last.reason));
                let built_on = unproven_settings.map(|number| {
                    format!("; it was built on the settings of revision {number}, which had not proved themselves")
                });
                let (reason, built_on) = (reason.unwrap_or_default(), built_on.unwrap_or_default());
                say(format!("{count} tasks failed in a row{reason}{built_on}"))
            }
            Self::Superseded { by } => say(format!("superseded by deployment {by}")),
            Self::RolledBack { by } => say(format!("rolled back by deployment {by}")),
        })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Created { desired_count } => {
                say(format!("was created with a desired count of {desired_count}"))
            }
            Self::DesiredCountChanged { from, to } => {
                say(format!("desired count changed from {from} to {to}"))
            }
            Self::Draining => say("is being removed; its tasks are being stopped"),
            Self::Removed => say("was removed"),
            Self::PlacementFailed { failure } => {
                say(format!("was unable to place a task: {failure}"))
            }
            Self::DeploymentStarted { deployment, revision, task_definition, images } => {
                // Short enough for a sentence whatever they are named.
                let short: Vec<_> = images.iter().map(crate::digest::Digest::short).collect();
                let noun = if images.len() == 1 { "image" } else { "images" };
                let images = short.join(", ");
                let revision = numbered(*revision);
                say(format!(
                    "deployment {deployment} started: {revision}{task_definition}, {noun} {images}"
                ))
            }
            Self::RollbackStarted { deployment, revision, task_definition, failed } => {
                let revision = numbered(*revision);
                say(format!(
                    "deployment {deployment} rolls back deployment {failed} to {revision}{task_definition}"
                ))
            }
            Self::DeploymentBaking { deployment, until } => say(format!(
                "deployment {deployment} has replaced the older tasks and is watched until {until}"
            )),
            Self::DeploymentCompleted { deployment } => deployment_completed(*deployment),
            Self::DeploymentFailed { deployment, failure } => {
                say(format!("deployment {deployment} failed: {failure}"))
            }
            Self::TaskStopped { task, stopped, times: 1 } => {
                say(format!("task {task} stopped: {}", stopped.reason))
            }
            Self::TaskStopped { task, stopped, times } => say(format!(
                "task {task} stopped, as {times} tasks by now have after they were healthy: {}",
                stopped.reason
            )),
        })
    }
}

impl fmt::Display for InstanceEventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&match self {
            Self::Joined => say("joined its cluster"),
            Self::Rebooted => say("its host was started again"),
            Self::StatusChanged { status: InstanceStatus::Active } => say("takes tasks again"),
            Self::StatusChanged { status: InstanceStatus::Draining } => {
                say("is being drained: it takes no new tasks, and those of services are replaced")
            }
            Self::Suspended => say("`berth down` stops what runs there"),
            Self::Resumed => say("`berth up` lets it take tasks again"),
            Self::DiskNearlyFull { free_mib } => say(format!(
                "the disk of its Docker is nearly full: {free_mib} MiB are free; `docker system df` on that host shows what \
                 takes it"
            )),
            Self::DiskHasRoom { free_mib } => {
                say(format!("the disk of its Docker has room again: {free_mib} MiB are free"))
            }
            Self::TaskLost { task, service_name: Some(service) } => {
                say(format!("task {task} of service {service} was given up with it"))
            }
            Self::TaskLost { task, service_name: None } => {
                say(format!("task {task} was given up with it"))
            }
            Self::Removed => say("was removed"),
        })
    }
}

/// What happened to a service, with its name in front as ECS writes it.
pub(crate) fn service_event(name: &ServiceName, event: &EventKind) -> String {
    format!("(service {name}) {event}")
}

impl ServiceEvent {
    /// What happened, without the service's name in front.
    pub fn text(&self) -> &str {
        let front = format!("(service {}) ", self.service_name);
        self.message.strip_prefix(&front).unwrap_or(&self.message)
    }
}

fn numbered(revision: Option<u32>) -> String {
    revision.map(|number| format!("revision {number}, ")).unwrap_or_default()
}

/// Why a deployment is in progress.
pub(crate) fn deployment_started(cause: &DeploymentCause) -> String {
    say(match cause {
        DeploymentCause::Requested => "tasks are being started".to_owned(),
        DeploymentCause::Pushed => "a tag moved; tasks are being started".to_owned(),
        DeploymentCause::Failure { of } => format!("rolling back deployment {of}"),
        DeploymentCause::Rollback { from: _ } => "rolling back, as somebody asked".to_owned(),
    })
}

pub(crate) fn deployment_bakes() -> String {
    say("its tasks have replaced the older ones and are being watched")
}

pub(crate) fn deployment_completed(deployment: DeploymentId) -> String {
    say(format!("deployment {deployment} completed"))
}

/// Why a task has stopped whose agent did not say.
pub(crate) fn containers_exited() -> String {
    say("its containers exited")
}

pub(crate) fn instance_removed(name: &str) -> String {
    say(format!("instance `{name}` was removed"))
}

#[cfg(test)]
mod tests;
