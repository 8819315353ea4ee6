//! What fails around a process, and must not end it.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Berth, Server, docker, http, until, until_within};
use api::Status;

/// How soon all is as before once there is room again.
const RECOVERY: Duration = Duration::from_secs(10);

#[test]
fn a_log_that_cannot_be_written_ends_no_server() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    for log in [OwnedFd::from(full), OwnedFd::from(writer)] {
        let mut server = Server::start_logging_to(log);
        for _ in 0..20 {
            let answer = http::get(&format!("{}/livez", server.admin())).expect("it answers");
            assert_eq!(answer.status, 200);
        }
        assert!(server.runs());
    }
}

#[test]
fn halves_of_requests_shut_nobody_out_of_registry_admin_api_and_link() {
    let berth = Berth::up();
    let halves = [
        "",
        "GET /v2/ HTTP/1.1\r\nHost",
        "POST /api/v1/rules HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{",
    ];
    let mut held = Vec::new();
    for at in [berth.registry(), berth.admin().replace("http://", ""), berth.link()] {
        for half in halves.iter().cycle().take(600) {
            let mut stream = std::net::TcpStream::connect(&at).expect("it is let in");
            stream.write_all(half.as_bytes()).expect("it is taken");
            held.push(stream);
        }
    }
    let registry = http::get(&format!("http://{}/v2/", berth.registry()));
    assert_eq!(registry.expect("the registry answers").status, 401);
    let admin = http::get(&format!("{}/livez", berth.admin()));
    assert_eq!(admin.expect("the admin API answers").status, 200);
    // An agent that starts anew dials the link.
    berth.kill("agent");
    until("the agent is linked", || berth.control("agent").is_some_and(|agent| agent.ready));
    drop(held);
    berth.down();
}

/// An installation whose data has a small file system of its own; ends before that does.
struct OnSmallDisk {
    berth: Berth,
    mounted: Mounted,
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever still has a file open there keeps it only for itself.
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

impl OnSmallDisk {
    /// On one of so many MiB.
    fn start(mebibytes: u32) -> Self {
        let mut berth = Berth::idle(&[]);
        let data = berth.data();
        disk::create_dir(&data, 0o700).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "berth-it"]).arg(&data);
        assert!(mount.status().expect("mount runs").success(), "this needs root, as Docker does");
        let mounted = Mounted(data);
        berth.start();
        Self { berth, mounted }
    }

    fn filler(&self) -> PathBuf {
        self.mounted.0.join("fill")
    }

    /// Gives back what it took.
    fn make_room(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file");
        let block = vec![1; 1 << 16];
        while file.write_all(&block).is_ok() {}
        // The last block did not fit as a whole.
        while file.write_all(&[1]).is_ok() {}
    }
}

#[test]
fn on_a_full_disk_a_killed_router_serves_again_and_down_comes_to_its_end() {
    let on = OnSmallDisk::start(64);
    let berth = &on.berth;
    on.fill();
    for _ in 0..3 {
        let router = format!("{}/", berth.router());
        let before = berth.control("router").expect("the router answers").pid;
        crate::harness::kill(before);
        assert_eq!(http::get(&router).expect("it waits, and is answered").status, 404);
        until("another router answers", || {
            berth.control("router").is_some_and(|status| status.pid != before && status.ready)
        });
    }
    berth.run(&["down"]).ok();
    assert!(berth.control("router").is_none());
}

#[test]
fn on_a_full_disk_pushes_end_and_all_else_goes_on_and_room_alone_mends_it() {
    let cycles = if std::env::var_os("BERTH_TEST_FULL").is_some() { 20 } else { 1 };
    let on = OnSmallDisk::start(256);
    let berth = &on.berth;
    docker::login(berth);
    docker::push(berth, "hello", "1", "none");
    berth.run(&["deploy", "hello"]).ok();
    for cycle in 0..cycles {
        let large = docker::import_random(berth, &format!("large-{cycle}"), 8 << 20);
        on.fill();
        let start = format!("http://{}/v2/hello/blobs/uploads/", berth.registry());
        let token = format!("Bearer {}", berth.token());
        let refused = http::request(&start, "POST", None, &[("Authorization", &token)], "");
        assert_eq!(refused.expect("it answers").status, 507);
        until("status says it", || {
            let status: Status = berth.json(&["status"]);
            status.registry_disk.is_some_and(|disk| disk.is_low)
        });
        let ready = http::get(&format!("{}/readyz?verbose", berth.admin())).expect("it answers");
        assert!(ready.status == 200 && ready.body.contains("[!]"), "{ready:?}");
        still_works(berth, 2 * cycle);
        berth.kill("server");
        until("the server is back", || berth.is_ready());
        still_works(berth, 2 * cycle + 1);

        on.make_room();
        until_within(RECOVERY, "the push works", || {
            docker::run(berth, &["push", &large]).code == 0
        });
        docker::run(berth, &["image", "rm", &large]).ok();
    }
    let OnSmallDisk { berth, mounted: _mounted } = on;
    berth.down();
}

/// Pulls, deployments, other changes and traffic.
fn still_works(berth: &Berth, round: u32) {
    let hello = format!("{}/hello:latest", berth.registry());
    docker::run(berth, &["pull", &hello]).ok();
    docker::run(berth, &["image", "rm", &hello]).ok();
    berth.run(&["deploy", "hello", "--env", &format!("ROUND={round}")]).ok();
    for _ in 0..20 {
        berth.run(&["instance", "join-token"]).ok();
    }
    let answer = http::get_from(&berth.router(), "hello.localhost", "/").expect("it answers");
    assert_eq!(answer.status, 200);
}
