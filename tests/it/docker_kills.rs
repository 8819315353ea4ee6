//! kill -9 of every process: requests and containers go on, and the state converges.

use crate::harness::load::Load;
use crate::harness::{Berth, docker, http, until};

fn deployed(replicas: &str) -> Berth {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", replicas]).ok();
    berth
}

#[test]
fn killing_server_or_agent_fails_no_request_and_stops_no_container() {
    let berth = deployed("2");
    let before = docker::containers(&berth.installation(), false);
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);
    for role in ["server", "agent", "server"] {
        berth.kill(role);
        load.goes_on(50);
        until("berth is ready again", || berth.is_ready());
    }
    berth.settles("hello");
    load.all_answered();
    assert_eq!(docker::containers(&berth.installation(), false), before);
    berth.run(&["service", "scale", "hello", "3"]).ok();
    berth.down();
}

#[test]
fn a_killed_router_serves_again_from_its_disk_without_a_server() {
    let berth = deployed("2");
    let server = berth.pause("server");
    let router = berth.pid("router").expect("the router runs");
    crate::harness::kill(router);
    until("the router serves again", || {
        http::get_from(&berth.router(), "hello.localhost", "/").is_ok_and(|a| a.status == 200)
    });
    drop(server);
    until("berth is ready again", || berth.is_ready());
    berth.down();
}

#[test]
fn no_connection_is_refused_however_often_the_router_is_killed() {
    const KILLS: usize = 20;
    let berth = deployed("2");
    let address = berth.router().strip_prefix("http://").expect("without TLS").to_owned();
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);
    for _ in 0..KILLS {
        let router = berth.pid("router").expect("the router runs");
        crate::harness::kill(router);
        // Dialled before there is a process that accepts.
        std::net::TcpStream::connect(&address).expect("nobody is refused");
        until("another router runs", || berth.pid("router").is_some_and(|pid| pid != router));
        load.goes_on(4);
    }
    let (sent, failures) = load.stopped();
    let refused = failures.iter().filter(|why| why.contains("refused")).count();
    assert_eq!(refused, 0, "of {sent}: {failures:#?}");
    // Each of the two senders has one request in flight at most.
    assert!(failures.len() <= 2 * KILLS, "of {sent}: {failures:#?}");
    berth.down();
}

#[test]
fn a_killed_up_leaves_everything_running_and_the_next_adopts_it() {
    let mut berth = deployed("2");
    let containers = docker::containers(&berth.installation(), false);
    let pids = ["server", "agent", "router"].map(|role| berth.pid(role));
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);
    berth.kill_up();
    load.goes_on(50);
    berth.start();
    load.goes_on(50);
    assert_eq!(["server", "agent", "router"].map(|role| berth.pid(role)), pids, "adopted");
    load.all_answered();
    // What the router listens on is kept by the new `up` from here on.
    crate::harness::kill(pids[2].expect("the router runs"));
    let address = berth.router().strip_prefix("http://").expect("without TLS").to_owned();
    std::net::TcpStream::connect(address).expect("nobody is refused");
    assert_eq!(docker::containers(&berth.installation(), false), containers);
    berth.down();
}

#[test]
fn ending_up_leaves_the_containers_and_the_next_up_serves_them() {
    let mut berth = deployed("2");
    let containers = docker::containers(&berth.installation(), false);
    berth.stop_up();
    assert_eq!(docker::containers(&Berth::installation_of(&containers), false), containers);
    berth.start();
    until("the service answers again", || {
        http::get_from(&berth.router(), "hello.localhost", "/").is_ok_and(|a| a.status == 200)
    });
    assert_eq!(docker::containers(&berth.installation(), false), containers);
    berth.down();
}

#[test]
fn a_container_that_dies_while_the_server_is_away_is_replaced_when_it_is_back() {
    let berth = deployed("2");
    let installation = berth.installation();
    let containers = docker::containers(&installation, false);
    let load = Load::start(&berth.router(), "hello.localhost", &["GET"]);
    let server = berth.pause("server");
    docker::kill(&containers[0]);
    load.goes_on(50);
    drop(server);
    until("the killed container is replaced", || {
        let now = docker::containers(&installation, false);
        now.len() == 2 && !now.contains(&containers[0])
    });
    berth.settles("hello");
    load.all_answered();
    berth.down();
}
