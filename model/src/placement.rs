//! Why a task of a service cannot be placed, as values: which filter leaves out how many instances, and what lacks there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::cluster::Platform;
use crate::definition::TransportProtocol;
use crate::image::ImageReference;
use crate::name::ClusterName;
use crate::resources::Shortfall;

/// Why tasks of a service cannot be placed, or why its deployment cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum PlacementFailure {
    /// An image that its task definition names has not been pushed yet.
    ImageNotPushed {
        /// The image.
        image: ImageReference,
    },
    /// No instance takes a task.
    NoInstanceFits {
        /// The service's cluster.
        cluster: ClusterName,
        /// All instances of the cluster, by what is in the way there; what people can act on comes first.
        instances: Vec<FilteredInstances>,
        /// Whether running tasks of the service hold the room, which the minimum of healthy ones keeps from stopping first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_held_by_own: bool,
    },
    /// The bounds of the deployment allow neither one task more nor one less.
    NoLegalStep {
        /// Desired tasks.
        desired: usize,
        /// Tasks that must be healthy.
        minimum: usize,
        /// Tasks that there may be.
        maximum: usize,
        /// What the minimum comes from.
        minimum_healthy_percent: u32,
        /// What the maximum comes from.
        maximum_percent: u32,
    },
    /// No router is connected that could tell whether tasks are healthy.
    HealthUnknown,
    /// A sentence that an older version wrote down.
    #[serde(untagged)]
    Sentence(String),
}

impl PlacementFailure {
    /// Whether nothing but a `berth down` is in the way.
    pub fn is_suspension(&self) -> bool {
        let Self::NoInstanceFits { instances, .. } = self else { return false };
        !instances.is_empty()
            && instances.iter().all(|instances| instances.reason == FilterReason::Suspended)
    }
}

/// Instances that do not take a task for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FilteredInstances {
    /// How many.
    pub count: usize,
    /// Why; where they lack resources, what the best of them has free.
    pub reason: FilterReason,
}

/// Why an instance does not take a task. In the order in which people should read them: first what they can act on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum FilterReason {
    /// It has too little left.
    InsufficientResources {
        /// In these dimensions.
        shortfalls: Vec<Shortfall>,
    },
    /// It cannot run the image.
    Platform {
        /// What the image is built for.
        image: BTreeSet<Platform>,
        /// What the instance runs.
        instance: Platform,
    },
    /// A host port that the task definition names is taken there.
    PortTaken {
        /// The port.
        port: u16,
        /// TCP or UDP.
        protocol: TransportProtocol,
    },
    /// Its subnet has no free address.
    NoAddress,
    /// Its range has no free host port.
    NoPort,
    /// It has no free address or no free host port.
    UsedUp,
    /// It has no subnet yet.
    NoSubnet,
    /// It is being drained.
    Draining,
    /// `berth down` has stopped what ran there, and no `berth up` has followed.
    Suspended,
    /// Its agent is not connected.
    NotConnected,
}

impl FilterReason {
    /// Whether it would help that another task stopped.
    pub fn is_lack_of_room(&self) -> bool {
        match self {
            Self::InsufficientResources { .. }
            | Self::PortTaken { .. }
            | Self::NoAddress
            | Self::NoPort
            | Self::UsedUp => true,
            Self::Platform { .. }
            | Self::NoSubnet
            | Self::Draining
            | Self::Suspended
            | Self::NotConnected => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::Dimension;

    #[test]
    fn a_sentence_of_an_older_version_reads_as_one() {
        let old: PlacementFailure = serde_json::from_str(r#""no instance is connected""#).unwrap();
        assert_eq!(old, PlacementFailure::Sentence("no instance is connected".to_owned()));
        assert_eq!(serde_json::to_string(&old).unwrap(), r#""no instance is connected""#);
    }

    #[test]
    fn a_failure_reads_back_what_it_wrote() {
        let shortfall = Shortfall { dimension: Dimension::Memory, needed: 512, free: 100 };
        let shortfalls = vec![shortfall];
        let reason = FilterReason::InsufficientResources { shortfalls };
        let instances = vec![
            FilteredInstances { count: 2, reason },
            FilteredInstances { count: 1, reason: FilterReason::Draining },
        ];
        let cluster = "default".parse().unwrap();
        for failure in [
            PlacementFailure::NoInstanceFits { cluster, instances, is_held_by_own: true },
            PlacementFailure::HealthUnknown,
            PlacementFailure::ImageNotPushed { image: "hello".parse().unwrap() },
        ] {
            let json = serde_json::to_string(&failure).unwrap();
            assert_eq!(serde_json::from_str::<PlacementFailure>(&json).unwrap(), failure, "{json}");
        }
    }
}
