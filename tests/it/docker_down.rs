//! `berth down` stops what runs; what people made is there again with the next `berth up`.

use crate::harness::{Berth, docker, holds, http, until, until_within};

#[test]
fn services_and_rules_are_there_again_after_down_and_up() {
    let mut berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2", "--host", "shop.localhost"]).ok();
    let revision = berth.service("hello").revision;
    let installation = berth.installation();

    let asked = berth.run(&["down", "--delete-services"]).fails(2);
    assert!(asked.contains("--yes"), "nobody can be asked: {asked}");
    assert_eq!(berth.tasks("hello").len(), 2, "nothing is stopped unasked");
    berth.run(&["down"]).ok();
    assert_eq!(docker::containers(&installation, true), Vec::<String>::new());
    berth.up_has_ended();

    berth.start();
    until("both tasks run again", || berth.service("hello").running_count == 2);
    let service = berth.service("hello");
    assert_eq!((service.desired_count, service.revision), (2, revision));
    until("it answers at its host", || {
        http::get_from(&berth.router(), "shop.localhost", "/").is_ok_and(|one| one.status == 200)
    });

    berth.run(&["down", "--keep-tasks"]).ok();
    assert_eq!(docker::containers(&installation, false).len(), 2, "containers go on");
    berth.up_has_ended();
    berth.start();
    until("its containers are taken over", || berth.service("hello").running_count == 2);

    berth.run(&["down", "--delete-services", "--yes"]).ok();
    berth.up_has_ended();
    berth.start();
    berth.run(&["service", "show", "hello"]).fails(3);
    berth.run(&["down"]).ok();
}

#[test]
fn a_down_that_was_interrupted_is_ended_by_the_next_up() {
    let mut berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello"]).ok();
    // A server that stands still keeps it waiting for the tasks.
    let agent = berth.pause("agent");
    let mut down = berth.spawn(&[], &["down"]);
    until("what runs here is suspended", || {
        let status: api::Status = berth.json(&["status"]);
        status.instances[0].suspended
    });
    down.kill().expect("our own child can be killed");
    down.wait().expect("our own child ends");
    drop(agent);
    let status = berth.run(&["status", "--check"]);
    assert!(holds(&status.stdout, "suspended"), "{}", status.stdout);
    status.fails(1);
    berth.run(&["up", "--detach"]).ok();
    until("the task runs again", || berth.service("hello").running_count == 1);
    berth.run(&["down"]).ok();
    berth.up_has_ended();
}

#[test]
fn after_an_up_that_failed_down_starts_nothing() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let berth = Berth::idle(&[("BERTH_ROUTER_LISTEN", &address)]);
    berth.run(&["up", "--detach"]).fails(5);
    berth.run(&["down"]).ok();
    for role in ["supervisor", "server", "agent", "router"] {
        assert!(!berth.data().join(format!("run/{role}.sock")).exists(), "{role} was started");
    }
}

#[test]
fn a_deployment_that_down_interrupts_goes_on_after_the_next_up() {
    let mut berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "app", "1", "slow");
    berth.run(&["deploy", "app", "--detach"]).ok();
    until("its task runs", || berth.service("app").running_count == 1);
    berth.run(&["down"]).ok();
    berth.up_has_ended();
    berth.start();
    until_within(std::time::Duration::from_mins(3), "it is deployed", || {
        berth.primary("app").bakes_until().is_some()
    });
    assert_eq!(berth.primary("app").failed_tasks, 0, "nobody is blamed");
    berth.run(&["down"]).ok();
    berth.up_has_ended();
}
