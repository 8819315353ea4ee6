//! What the commit before stores had formats left opens with this program: real roles on the fixture's data directory.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::fixture::{self, Alone};
use crate::harness::{Berth, http, until};

/// The fixture's listeners as they were.
fn endpoints(berth: &Berth) -> Value {
    let text = std::fs::read_to_string(berth.data().join("run/endpoints.json")).expect("a file");
    serde_json::from_str(&text).expect("it is JSON")
}

fn names(list: &Value, field: &str) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|one| one[field].as_str().map(ToOwned::to_owned)).collect()
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

    let services = berth.json(&["service", "ls"]);
    let all = names(&services["items"], "serviceName");
    assert_eq!(all, set(&["hello", "api", "worker", "huge"]));
    for service in &all {
        let shown = berth.service(service);
        assert_eq!(shown["serviceName"], service.as_str());
        assert!(!shown["deployments"].as_array().expect("a list").is_empty(), "{shown}");
    }
    // History is pruned by age every so many commits: the fixture's own is there until then.
    let events = berth.json(&["service", "events", "hello"]);
    let messages = names(&events["items"], "message");
    for said in ["was created with a desired count of 3", "rolls back", "failed its health checks"]
    {
        assert!(messages.iter().any(|message| message.contains(said)), "{said}: {messages:?}");
    }
    let stopped = berth.json(&["task", "ls", "--stopped"]);
    let known = fixture::counts()["history"]["task"].as_u64().expect("a number");
    let stopped = names(&stopped["items"], "taskId");
    assert!(stopped.len() as u64 >= known, "{} of {known}", stopped.len());
    let running = berth.json(&["task", "ls"]);
    for task in stopped.iter().chain(&names(&running["items"], "taskId")) {
        assert_eq!(berth.json(&["task", "show", task])["taskId"], task.as_str());
    }
    let definitions = berth.json(&["task-definition", "ls"]).to_string();
    for family in ["hello", "api", "worker", "job", "huge", "late"] {
        assert!(definitions.contains(family), "{family}: {definitions}");
    }
    let rules = berth.json(&["rule", "ls"]);
    assert_eq!(rules["items"].as_array().map(Vec::len), Some(4), "{rules}");
    let instances = berth.json(&["instance", "ls"]);
    assert_eq!(names(&instances["items"], "name"), set(&["first", "second"]));
    let routers = berth.json(&["router", "ls"]);
    assert_eq!(names(&routers["items"], "name"), set(&["first", "second"]));
    let images = berth.json(&["image", "tags", "hello"]);
    assert!(images.to_string().contains("latest"), "{images}");
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
