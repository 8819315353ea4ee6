//! What fails around a process, and must not end it.

use std::os::fd::OwnedFd;

use crate::harness::{Server, http};

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
