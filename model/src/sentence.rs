//! Every sentence that this crate says to people. Nothing decides on one: with the feature `reworded` all of them come out
//! as other words, and whatever still works does not read them.

use std::fmt;

use crate::history::{EventKind, ServiceEvent};
use crate::id::DeploymentId;
use crate::name::ServiceName;
use crate::placement::{FilterReason, FilteredInstances, PlacementFailure};
use crate::resources::{Dimension, Shortfall};
use crate::service::DeploymentFailure;

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
            Self::NoInstanceFits { cluster, instances } if instances.is_empty() => {
                say(format!("no instance fits: cluster `{cluster}` has none"))
            }
            Self::NoInstanceFits { cluster: _, instances } => say(no_instance_fits(instances)),
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
            Self::TasksFailed { count, last: Some(last) } => {
                let reason = &last.reason;
                say(format!("{count} tasks failed in a row, the last one: {reason}"))
            }
            Self::TasksFailed { count, last: None } => {
                say(format!("{count} tasks failed in a row"))
            }
            Self::Superseded { by } => say(format!("superseded by deployment {by}")),
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
            Self::DeploymentStarted { deployment, task_definition, images } => {
                // Short enough for a sentence whatever they are named.
                let short: Vec<_> = images.iter().map(crate::digest::Digest::short).collect();
                let noun = if images.len() == 1 { "image" } else { "images" };
                let images = short.join(", ");
                say(format!("deployment {deployment} started: {task_definition}, {noun} {images}"))
            }
            Self::RollbackStarted { deployment, task_definition, failed } => say(format!(
                "deployment {deployment} rolls back deployment {failed} to {task_definition}"
            )),
            Self::DeploymentCompleted { deployment } => deployment_completed(*deployment),
            Self::DeploymentFailed { deployment, failure } => {
                say(format!("deployment {deployment} failed: {failure}"))
            }
            Self::TaskStopped { task, stopped } => {
                say(format!("task {task} stopped: {}", stopped.reason))
            }
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

#[cfg(all(test, not(feature = "reworded")))]
mod tests {
    use super::*;
    use crate::definition::TransportProtocol;
    use crate::stop::{StopCause, Stopped};

    fn fits_none(instances: &[(usize, FilterReason)]) -> String {
        let instances = instances
            .iter()
            .map(|(count, reason)| FilteredInstances { count: *count, reason: reason.clone() });
        let cluster = "default".parse().expect("a name");
        PlacementFailure::NoInstanceFits { cluster, instances: instances.collect() }.to_string()
    }

    #[test]
    fn what_lacks_where_is_counted_by_instance() {
        let short = |dimension, free| Shortfall { dimension, needed: 100, free };
        let shortfalls = vec![short(Dimension::Cpu, 50), short(Dimension::Memory, 40)];
        let lack = FilterReason::InsufficientResources { shortfalls };
        assert_eq!(
            fits_none(&[(2, lack), (1, FilterReason::Draining), (1, FilterReason::NotConnected)]),
            "no instance fits: 2 lack CPU (need 100 units, 50 free) and memory (need 100 MiB, 40 free), \
             1 is draining, 1 is not connected"
        );
        let gpu = vec![short(Dimension::Named("GPU".to_owned()), 0)];
        assert_eq!(
            fits_none(&[(1, FilterReason::InsufficientResources { shortfalls: gpu })]),
            "no instance fits: 1 lacks GPU (need 100, 0 free)"
        );
        let taken = FilterReason::PortTaken { port: 8080, protocol: TransportProtocol::Tcp };
        assert_eq!(
            fits_none(&[(2, taken), (1, FilterReason::UsedUp), (2, FilterReason::NoSubnet)]),
            "no instance fits: 2 have host port 8080/tcp in use, 1 has no free address or host port, \
             2 have no subnet yet"
        );
    }

    #[test]
    fn an_image_for_another_platform_names_both() {
        let platform = |architecture: &str| crate::cluster::Platform::new("linux", architecture);
        let image = [platform("arm64")].into();
        let reason = FilterReason::Platform { image, instance: platform("amd64") };
        assert_eq!(
            fits_none(&[(1, reason)]),
            "no instance fits: 1 cannot run the image (linux/arm64 image, instance is linux/amd64)"
        );
    }

    #[test]
    fn a_cluster_without_instances_or_without_connected_ones_is_named() {
        assert_eq!(fits_none(&[]), "no instance fits: cluster `default` has none");
        assert_eq!(fits_none(&[(3, FilterReason::NotConnected)]), "no instance is connected");
    }

    #[test]
    fn a_deployment_that_cannot_go_on_says_what_to_change() {
        let failure = PlacementFailure::NoLegalStep {
            desired: 1,
            minimum: 1,
            maximum: 1,
            minimum_healthy_percent: 100,
            maximum_percent: 150,
        };
        assert_eq!(
            failure.to_string(),
            "no step is legal: of 1 desired tasks, maximumPercent 150 allows 1 at most and \
             minimumHealthyPercent 100 needs 1 healthy; raise the one or lower the other"
        );
        assert_eq!(
            PlacementFailure::HealthUnknown.to_string(),
            "no router is connected that could tell whether its tasks are healthy; the deployment waits"
        );
    }

    #[test]
    fn a_deployment_that_failed_says_why_its_last_task_did() {
        let last = Some(Stopped::new(StopCause::ContainerExited, "exit code 1"));
        let failure = DeploymentFailure::TasksFailed { count: 3, last };
        let expected = "3 tasks failed in a row, the last one: exit code 1";
        assert_eq!(failure.to_string(), expected);
    }
}

#[cfg(all(test, feature = "reworded"))]
mod tests {
    use super::say;

    #[test]
    fn words_are_others_and_names_and_numbers_stay() {
        assert_eq!(say("instance `i1` is gone, 3 s"), "jotubodf `i1` jt hpof, 3 t");
        assert_ne!(say(say("gone")), "gone", "a sentence in a sentence is reworded too");
    }
}
