//! What the commit before stores had formats left opens with this program: real roles on the fixture's data directory.

use std::collections::BTreeSet;

use api::{Instance, Router, Rule, Service, ServiceEvent, Tag, Task, TaskDefinition};
use serde_json::Value;

use crate::harness::fixture::{self, Alone};
use crate::harness::{Berth, http, until};

/// The fixture's listeners as they were.
fn endpoints(berth: &Berth) -> Value {
    let text = std::fs::read_to_string(berth.data().join("run/endpoints.json")).expect("a file");
    serde_json::from_str(&text).expect("it is JSON")
}

fn names(names: impl Iterator<Item = String>) -> BTreeSet<String> {
    names.collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_server_opens_old_data_and_everything_in_it_reads() {
    let berth = fixture::old_data(&[]);
    let before = endpoints(&berth);
    let _server = Alone::start(&berth, "server");
    until("the server answers where it listens now", || {
        berth.data().join("server/store.redb.before-2").exists() && berth.run(&["status"]).code == 0
    });
    assert_eq!(endpoints(&berth)["router"], before["router"], "what it did not write stays");

    let services: Vec<Service> = berth.list(&["service", "ls"]);
    let all = names(services.iter().map(|one| one.service_name.to_string()));
    assert_eq!(all, set(&["hello", "api", "worker", "huge"]));
    for service in &all {
        let shown = berth.service(service);
        assert_eq!(shown.service_name.as_str(), service);
        assert!(!shown.deployments.is_empty(), "{shown:#?}");
    }
    // History is pruned by age every so many commits: the fixture's own is there until then.
    let events: Vec<ServiceEvent> = berth.list(&["service", "events", "hello"]);
    let messages = names(events.into_iter().map(|event| event.message));
    for said in ["was created with a desired count of 3", "rolls back", "failed its health checks"]
    {
        assert!(messages.iter().any(|message| message.contains(said)), "{said}: {messages:?}");
    }
    let stopped: Vec<Task> = berth.list(&["task", "ls", "--stopped"]);
    let known = fixture::counts()["history"]["task"].as_u64().expect("a number");
    assert!(stopped.len() as u64 >= known, "{} of {known}", stopped.len());
    let running: Vec<Task> = berth.list(&["task", "ls"]);
    for task in stopped.iter().chain(&running) {
        let shown: Task = berth.json(&["task", "show", &task.task_id.to_string()]);
        assert_eq!(shown.task_id, task.task_id);
    }
    let definitions: Vec<TaskDefinition> = berth.list(&["task-definition", "ls"]);
    let families = names(definitions.iter().map(|one| one.definition.family.to_string()));
    let expected = set(&["hello", "api", "worker", "job", "huge", "late"]);
    assert!(expected.is_subset(&families), "{families:?}");
    assert_eq!(berth.list::<Rule>(&["rule", "ls"]).len(), 4);
    let instances: Vec<Instance> = berth.list(&["instance", "ls"]);
    assert_eq!(names(instances.into_iter().map(|one| one.name)), set(&["first", "second"]));
    let routers: Vec<Router> = berth.list(&["router", "ls"]);
    assert_eq!(names(routers.into_iter().map(|one| one.name)), set(&["first", "second"]));
    let tags: Vec<Tag> = berth.list(&["image", "tags", "hello"]);
    assert!(tags.iter().any(|tag| tag.tag.as_str() == "latest"), "{tags:#?}");
}

#[test]
fn a_router_serves_from_its_old_table_without_a_server() {
    let berth = fixture::old_data(&[]);
    std::fs::remove_file(berth.data().join("run/endpoints.json")).expect("it is there");
    let _router = Alone::start(&berth, "router");
    let gone = || http::get_from(&berth.router(), "shop.gone.localhost", "/old/page");
    until("the router answers", || {
        berth.data().join("run/endpoints.json").exists() && gone().is_ok()
    });
    let answer = gone().expect("it answered before");
    assert_eq!((answer.status, answer.body.as_str()), (410, "gone"));
    let other = http::get_from(&berth.router(), "nobody.localhost", "/").expect("an answer");
    assert_eq!(other.status, 404);
}
