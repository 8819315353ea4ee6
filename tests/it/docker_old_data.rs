//! `berth up` on a data directory of the commit before stores had formats, with the second host of that installation.

use std::process::Child;

use api::Instance;
use model::{InstanceId, Lease};

use crate::harness::fixture;
use crate::harness::{Berth, docker, http, until, until_within, wait};

/// A role of the second host.
#[derive(Debug)]
struct Second(Child);

impl Second {
    fn start(berth: &Berth, role: &str) -> Self {
        let data = berth.home().join("second").display().to_string();
        let settings = [
            ("BERTH_DATA_DIR", data.as_str()),
            ("BERTH_LINK_SERVER", &berth.link()),
            ("BERTH_AGENT_CPU", "1024"),
            ("BERTH_AGENT_MEMORY", "2048"),
        ];
        Self(berth.spawn(&settings, &[role]))
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Ids of the instances that are linked.
fn ready(berth: &Berth) -> Vec<InstanceId> {
    let list: Vec<Instance> = berth.list(&["instance", "ls"]);
    let ready = list.into_iter().filter(|one| one.lease == Lease::Ready);
    ready.map(|one| one.instance_id).collect()
}

#[test]
fn an_installation_of_before_comes_back_with_its_identities_and_its_services() {
    let _only = fixture::only_one();
    let mut berth =
        fixture::old_data(&[("BERTH_AGENT_CPU", "4096"), ("BERTH_AGENT_MEMORY", "8192")]);
    // Ports of its own: another test may have the same data.
    std::fs::remove_file(berth.data().join("run/endpoints.json")).expect("it is there");
    let identity = |of: &str| std::fs::read(berth.home().join(of)).expect("an identity");
    let agents = ["data/agent/identity.json", "second/agent/identity.json"];
    let keys = agents.map(|path| {
        let identity: serde_json::Value = serde_json::from_slice(&identity(path)).expect("JSON");
        identity["key"].clone()
    });
    berth.start();
    let second = [Second::start(&berth, "agent"), Second::start(&berth, "router")];
    until("both instances link", || ready(&berth).len() == 2);
    let list: Vec<Instance> = berth.list(&["instance", "ls"]);
    assert_eq!(list.len(), 2, "nobody joins anew: {list:#?}");
    for (path, key) in agents.iter().zip(keys) {
        let text = std::fs::read_to_string(berth.home().join(path)).expect("an identity");
        let identity: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(identity["key"], key, "the same key");
    }
    // The roll-out that was in the middle comes to its end, with containers that are made anew.
    berth.settles("hello");
    let hello = || http::get_from(&berth.router(), "hello.localhost", "/");
    until("hello answers", || hello().is_ok_and(|answer| answer.status == 200));
    let answer = hello().expect("an answer").body;
    assert!(answer.contains("v4"), "the push that was in the middle: {answer}");

    // Some of its tasks take no SIGTERM and have an hour for their stop.
    let installation = berth.installation();
    let mut down = berth.spawn(&[], &["down"]);
    until_within(2 * wait::PATIENCE, "everything is down", || {
        for id in docker::containers(&installation, false) {
            docker::kill_if_it_runs(&id);
        }
        down.try_wait().expect("our own child").is_some()
    });
    drop(second);
    docker::remove_all(&installation);
}
