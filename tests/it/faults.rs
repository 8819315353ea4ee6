//! What fails around a process, and must not end it.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Berth, Server, http, until};

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
    fn start() -> Self {
        let mut berth = Berth::idle(&[]);
        let data = berth.data();
        disk::create_dir(&data, 0o700).expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64m", "berth-it"]).arg(&data);
        assert!(mount.status().expect("mount runs").success(), "this needs root, as Docker does");
        let mounted = Mounted(data);
        berth.start();
        Self { berth, mounted }
    }

    /// Takes all room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.mounted.0.join("fill")).expect("a file");
        let block = vec![1; 1 << 16];
        while file.write_all(&block).is_ok() {}
        // The last block did not fit as a whole.
        while file.write_all(&[1]).is_ok() {}
    }
}

#[test]
fn on_a_full_disk_a_killed_router_serves_again_and_down_comes_to_its_end() {
    let on = OnSmallDisk::start();
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
