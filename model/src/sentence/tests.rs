//! What is said to people, word by word; every other test compares values.

#[cfg(not(feature = "reworded"))]
mod plain {
    use super::super::*;
    use crate::definition::TransportProtocol;
    use crate::id::{InstanceId, RuleId, TaskId};
    use crate::refusal::{
        ActualStatus, InvalidChange, InvalidRouting, JoinTokenEnd, Refusal, RuleOverlap, User,
    };
    use crate::stop::{StopCause, Stopped};
    use crate::time::Timestamp;

    fn fits_none(instances: &[(usize, FilterReason)]) -> String {
        let instances = instances
            .iter()
            .map(|(count, reason)| FilteredInstances { count: *count, reason: reason.clone() });
        let cluster = "default".parse().expect("a name");
        PlacementFailure::NoInstanceFits {
            cluster,
            instances: instances.collect(),
            is_held_by_own: false,
        }
        .to_string()
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
        let failure = DeploymentFailure::TasksFailed { count: 3, last, unproven_settings: Some(4) };
        let expected = "3 tasks failed in a row, the last one: exit code 1; it was built on the settings of revision 4, \
                        which had not proved themselves";
        assert_eq!(failure.to_string(), expected);
    }

    #[test]
    fn text_that_cannot_be_read_is_answered_with_how_to_write_it() {
        let name = "My_Service".parse::<ServiceName>().unwrap_err();
        let expected = "`My_Service` is not a service name: use 1 to 63 lowercase letters, digits and hyphens, \
                        with a letter or digit at both ends";
        assert_eq!(name.to_string(), expected);
        let id = "hello".parse::<TaskId>().unwrap_err();
        let expected =
            "`hello` is not an id: an id is 32 hexadecimal digits, as the `ls` commands show";
        assert_eq!(id.to_string(), expected);
    }

    #[test]
    fn a_refusal_says_what_is_in_the_way_and_what_to_do() {
        let kind = "service";
        let name = "hello".to_owned();
        let rule = RuleId::new(Timestamp::EPOCH, [0; 10]);
        let instance = InstanceId::new(Timestamp::EPOCH, [0; 10]);
        let short = Shortfall { dimension: Dimension::Memory, needed: 512, free: 0 };
        let status = ActualStatus::ActiveService;
        let overlap = RuleOverlap::Priority(10);
        let percentages = InvalidChange::Percentages { minimum: 101, maximum: 200 };
        for (refusal, expected) in [
            (
                Refusal::NotFound { kind, name: name.clone() },
                "service `hello` does not exist".to_owned(),
            ),
            (
                Refusal::WrongStatus { kind, name: name.clone(), status },
                "service `hello` is ACTIVE: drain it first".to_owned(),
            ),
            (
                Refusal::InUse { kind, name, by: User::Rule(rule) },
                format!("service `hello` is in use by rule `{rule}`"),
            ),
            (
                Refusal::NoRoom { instance, shortfalls: vec![short] },
                format!(
                    "instance `{instance}` has no room for the task: needs 512 MiB of memory, 0 free"
                ),
            ),
            (
                Refusal::RuleConflict { other: rule, service: None, overlap: overlap.clone() },
                format!("rule conflicts with rule `{rule}`: both have priority 10"),
            ),
            (
                Refusal::RuleConflict {
                    other: rule,
                    service: Some("shop".parse().unwrap()),
                    overlap,
                },
                "rule conflicts with one of service `shop`: both have priority 10".to_owned(),
            ),
            (
                Refusal::JoinTokenOver(JoinTokenEnd::UsedUp),
                "join token has been used up; make a new one with `berth instance join-token`"
                    .to_owned(),
            ),
            (
                percentages.into(),
                "minimumHealthyPercent 101 and maximumPercent 200: use 0 to 100, and 100 to 1000"
                    .to_owned(),
            ),
            (
                InvalidRouting::Priority(0).into(),
                "rule priority 0 is out of range; use 1 to 50000".to_owned(),
            ),
        ] {
            assert_eq!(refusal.to_string(), expected);
        }
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
