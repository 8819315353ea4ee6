//! Two agents, each with its own data directory and declared capacity.

use std::collections::BTreeSet;

use api::{Instance, JoinToken};
use model::{Dimension, Lease, TaskStatus};

use crate::harness::{Berth, docker, until};

#[test]
fn tasks_spread_over_two_instances_and_those_of_a_lost_one_are_replaced() {
    let berth = Berth::up_with(&[
        ("BERTH_LEASE_LOST_AFTER", "6s"),
        ("BERTH_LEASE_DISCONNECTED_AFTER", "4s"),
        ("BERTH_LEASE_SUSPECT_AFTER", "3s"),
    ]);
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    let token = berth.json::<JoinToken>(&["instance", "join-token"]).token;
    let data = berth.home().join("second");
    let (data, link) = (data.display().to_string(), berth.link());
    let settings = [
        ("BERTH_DATA_DIR", data.as_str()),
        ("BERTH_LINK_SERVER", link.as_str()),
        ("BERTH_JOIN_TOKEN", token.as_str()),
        ("BERTH_AGENT_NAME", "second"),
        ("BERTH_AGENT_CPU", "1024"),
        ("BERTH_AGENT_MEMORY", "1024"),
    ];
    let mut second = berth.spawn(&settings, &["agent"]);
    let instances = || berth.list::<Instance>(&["instance", "ls"]);
    until("the second instance is ready", || {
        let ready =
            instances().into_iter().filter(|one| one.lease == Lease::Ready && one.subnet.is_some());
        ready.count() == 2
    });
    let joined = instances().into_iter().find(|one| one.name == "second").expect("it joined");
    assert_eq!(joined.registered_resources[&Dimension::Memory], 1024);

    berth.run(&["deploy", "hello", "--replicas", "4"]).ok();
    let on = || -> Vec<String> {
        let tasks = berth.tasks("hello").into_iter();
        let running = tasks.filter(|task| task.last_status == TaskStatus::Running);
        running.filter_map(|task| task.instance_name).collect()
    };
    assert_eq!(on().iter().collect::<BTreeSet<_>>().len(), 2, "{:?}", on());
    assert_eq!(on().iter().filter(|name| *name == "second").count(), 2, "{:?}", on());

    second.kill().expect("our own child can be killed");
    second.wait().expect("our own child ends");
    until("its tasks run on the other", || on().len() == 4 && !on().contains(&"second".to_owned()));
    berth.run(&["instance", "rm", &joined.instance_id.to_string()]).ok();
    let installation = berth.installation();
    berth.run(&["service", "rm", "hello", "--yes"]).ok();
    docker::remove_all(&installation);
    berth.down();
}

#[test]
fn agents_beside_the_server_reach_it_at_any_address_of_the_host_and_people_allow_them_others() {
    let bridge = docker::bridge_address();
    let berth = Berth::up_with(&[("BERTH_LINK_LISTEN", &format!("{bridge}:0"))]);
    let token = berth.json::<JoinToken>(&["instance", "join-token"]).token;
    let data = berth.home().join("second").display().to_string();
    let link = berth.link();
    let settings = [
        ("BERTH_DATA_DIR", data.as_str()),
        ("BERTH_LINK_SERVER", link.as_str()),
        ("BERTH_JOIN_TOKEN", token.as_str()),
        ("BERTH_AGENT_NAME", "second"),
        ("BERTH_AGENT_ADVERTISED_ADDRESS", "127.0.0.1"),
    ];
    let mut second = berth.spawn(&settings, &["agent"]);
    let known = || {
        let instances = berth.list::<Instance>(&["instance", "ls"]);
        instances.into_iter().find(|one| one.name == "second")
    };
    until("it is connected", || known().is_some_and(|one| one.agent_connected));
    let joined = known().expect("it has joined");
    assert!(joined.advertised_address.is_loopback(), "{}", joined.advertised_address);
    assert_eq!(joined.allowed_address, None);

    let allow = |address| {
        berth.run(&["instance", "update", "second", "--allow-address", address, "-o", "json"])
    };
    allow("0.0.0.0").fails(2);
    let updated: Instance = serde_json::from_str(&allow("192.0.2.7").ok()).expect("an instance");
    assert_eq!(updated.allowed_address, Some([192, 0, 2, 7].into()));
    assert_eq!(updated.advertised_address, joined.advertised_address, "until its agent says so");
    second.kill().expect("our own child can be killed");
    second.wait().expect("our own child ends");
    let installation = berth.installation();
    until("its agent is seen to be gone", || known().is_some_and(|one| !one.agent_connected));
    berth.run(&["instance", "rm", "second"]).ok();
    docker::remove_all(&installation);
    berth.down();
}
