//! What is said to people, word by word; every other test compares values.

#[cfg(not(feature = "reworded"))]
mod plain {
    use super::super::*;
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

#[cfg(feature = "reworded")]
mod reworded {
    use super::super::say;

    #[test]
    fn words_are_others_and_names_and_numbers_stay() {
        assert_eq!(say("instance `i1` is gone, 3 s"), "jotubodf `i1` jt hpof, 3 t");
        assert_ne!(say(say("gone")), "gone", "a sentence in a sentence is reworded too");
    }
}
