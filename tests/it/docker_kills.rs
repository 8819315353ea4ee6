//! kill -9 of every process: requests and containers go on, and the state converges.

use crate::harness::load::{KeepAlive, Load};
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

#[test]
fn a_socket_that_systemd_keeps_outlives_up_and_router() {
    let mut berth = Berth::idle(&[]);
    let path = berth.home().join("notify");
    let notify = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    berth.start_as_unit(None, &path);
    let address = berth.router().strip_prefix("http://").expect("without TLS").to_owned();
    let (said, kept) = said_to_systemd(&notify);
    assert_eq!(said, format!("FDSTOREREMOVE=1\nFDNAME={}\n", address.replace(':', "_")));
    assert!(kept.is_none());
    let (said, kept) = said_to_systemd(&notify);
    assert_eq!(said, format!("FDSTORE=1\nFDNAME={}\n", address.replace(':', "_")));

    let router = berth.pid("router").expect("the router runs");
    berth.kill_up();
    crate::harness::kill(router);
    let url = berth.router();
    let waits = std::thread::spawn(move || http::get(&url));
    berth.start_as_unit(Some(kept.expect("the socket")), &path);
    let answer = waits.join().expect("no panic").expect("it waited and was not refused");
    assert_eq!(answer.status, 404, "there is no service yet");
    assert_eq!(berth.router(), format!("http://{address}"));
    berth.down();
}

/// The next thing that was said, and the socket that came with it.
fn said_to_systemd(
    notify: &std::os::unix::net::UnixDatagram,
) -> (String, Option<std::os::fd::OwnedFd>) {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
    let mut text = [0; 1_024];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let pieces = &mut [std::io::IoSliceMut::new(&mut text)];
    let got = rustix::net::recvmsg(notify, pieces, &mut control, RecvFlags::CMSG_CLOEXEC);
    let bytes = got.expect("something was said").bytes;
    let socket = control.drain().find_map(|message| {
        let RecvAncillaryMessage::ScmRights(mut sockets) = message else { return None };
        sockets.next()
    });
    (String::from_utf8_lossy(&text[..bytes]).into_owned(), socket)
}

/// The configuration file of an installation, which the test changes while it runs.
struct Configured {
    file: tempfile::NamedTempFile,
    router: String,
}

impl Configured {
    fn up() -> (Self, Berth) {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
        let configured = Self { file, router: "127.0.0.1:0".to_owned() };
        configured.write("info");
        let path = configured.file.path().to_str().expect("a path of ASCII").to_owned();
        let berth = Berth::up_with(&[("BERTH_CONFIG", &path), ("BERTH_ROUTER_LISTEN", "")]);
        (configured, berth)
    }

    fn write(&self, level: &str) {
        let text = format!("[log]\nlevel = \"{level}\"\n[router]\nlisten = \"{}\"\n", self.router);
        disk::write(self.file.path(), text.as_bytes(), 0o600).expect("it is written");
    }
}

/// Has `berth up` take up the configuration, and waits for another router.
fn takes_over(berth: &Berth) {
    let router = berth.pid("router");
    berth.signal_up(rustix::process::Signal::HUP);
    until("another router runs", || berth.pid("router").is_some_and(|pid| Some(pid) != router));
    until("berth is ready again", || berth.is_ready());
}

#[test]
fn another_program_or_configuration_takes_over_and_loses_no_request() {
    let (configured, berth) = Configured::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2"]).ok();
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST"]);
    let keeps = KeepAlive::start(&berth.router(), "hello.localhost");
    let up = berth.pid("up").expect("`up` runs");
    for level in ["debug", "info", "debug"] {
        configured.write(level);
        takes_over(&berth);
        load.goes_on(50);
    }
    assert_eq!(berth.pid("up"), Some(up), "it goes on under its process id");
    load.all_answered();
    keeps.all_answered();
    berth.settles("hello");
    berth.down();
}

#[test]
fn what_cannot_be_taken_up_changes_nothing_and_an_address_that_is_left_refuses() {
    let (mut configured, berth) = Configured::up();
    let pids = ["server", "agent", "router"].map(|role| berth.pid(role));
    let refusals = || berth.said_by_up().matches("going on as before").count();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken_at = taken.local_addr().expect("it is bound").to_string();
    for (refused, router) in [(1, "nowhere"), (2, taken_at.as_str())] {
        router.clone_into(&mut configured.router);
        configured.write("info");
        berth.signal_up(rustix::process::Signal::HUP);
        until("it is refused", || refusals() == refused);
        assert_eq!(["server", "agent", "router"].map(|role| berth.pid(role)), pids);
        assert_eq!(http::get(&berth.router()).expect("it answers").status, 404);
    }
    drop(taken);
    let before = berth.router();
    configured.write("info");
    takes_over(&berth);
    assert_eq!(berth.router(), format!("http://{taken_at}"));
    assert_eq!(http::get(&berth.router()).expect("it answers").status, 404);
    until("the address before refuses", || {
        http::get(&before).is_err_and(|why| why.kind() == std::io::ErrorKind::ConnectionRefused)
    });
    berth.down();
}
