//! Requests find the right service, and never another.

use crate::harness::{Berth, docker, http, until};

#[test]
fn requests_go_by_host_and_path_to_the_most_specific_rule() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "front", "front", "none");
    docker::push(&berth, "api", "api", "none");
    berth.run(&["deploy", "front", "--host", "shop.localhost"]).ok();
    berth.run(&["deploy", "api", "--host", "shop.localhost", "--path", "/api"]).ok();
    let body = |path: &str| {
        http::get_from(&berth.router(), "SHOP.localhost.", path).expect("an answer").body
    };
    assert!(body("/").contains("version front"));
    assert!(body("/api").contains("version api"));
    assert!(body("/api/x").contains("version api"));
    assert!(body("/apix").contains("version front"), "prefixes are whole segments");

    berth.run(&["rule", "add", "front", "--host", "*.example.test"]).ok();
    until("the new rule routes", || {
        http::get_from(&berth.router(), "a.b.example.test", "/").is_ok_and(|a| a.status == 200)
    });
    let taken = berth.run(&["deploy", "api2", "--image", "api", "--host", "shop.localhost"]);
    assert!(taken.fails(5).contains("shop.localhost"));
    let rules: Vec<api::Rule> = berth.list(&["rule", "ls"]);
    let rule = rules.iter().find(|rule| rule.host_header == ["*.example.test"]);
    let id = rule.expect("the rule is listed").rule_id.to_string();
    berth.run(&["rule", "rm", &id]).ok();
    until("the removed rule routes no more", || {
        http::get_from(&berth.router(), "a.b.example.test", "/").is_ok_and(|a| a.status == 404)
    });
    berth.down();
}

#[test]
fn a_stale_router_never_reaches_another_service() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "old", "old", "none");
    docker::push(&berth, "new", "new", "none");
    berth.run(&["deploy", "old"]).ok();
    // The router cannot learn anything from here on: it is stopped in its tracks with its table.
    let router = berth.pause("router");
    let before = berth.tasks("old");
    let address = before[0].address;
    let mut removal = berth.spawn(&[], &["service", "rm", "old", "--yes"]);
    berth.run(&["deploy", "new", "--replicas", "3", "--detach"]).ok();
    until("the new service's tasks are placed", || berth.tasks("new").len() == 3);
    for task in berth.tasks("new") {
        assert_ne!(task.address, address, "an address that the router may still know");
    }
    drop(router);
    until("the new service answers", || {
        http::get_from(&berth.router(), "new.localhost", "/").is_ok_and(|a| a.status == 200)
    });
    let old = http::get_from(&berth.router(), "old.localhost", "/").expect("an answer");
    assert!(!old.body.contains("version new"), "{}", old.body);
    assert!(removal.wait().expect("our own child ends").success(), "the old service is removed");
    berth.down();
}
