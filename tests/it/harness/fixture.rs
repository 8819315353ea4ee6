//! A data directory that the commit before stores had formats left: see `tests/fixtures/format-1`.

use std::process::Child;

use serde_json::Value;

use super::Berth;

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/format-1");

/// An installation with that data, not started yet; beside it, in `second`, lies that of another agent and router.
pub(crate) fn old_data(settings: &[(&str, &str)]) -> Berth {
    let berth = Berth::idle(settings);
    let archive = std::fs::File::open(format!("{DIRECTORY}/data.tar.gz")).expect("the fixture");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    archive.unpack(berth.home()).expect("the fixture can be unpacked");
    std::fs::rename(berth.home().join("first"), berth.data()).expect("nothing is there yet");
    berth
}

/// Waits until no other run of these tests has containers of that installation: all share its id, and so a Docker Engine
/// cannot tell them apart. Held until the file is dropped.
pub(crate) fn only_one() -> std::fs::File {
    let path = std::env::temp_dir().join("berth-it-format-1.lock");
    let file = std::fs::File::create(path).expect("a file in the temporary directory");
    file.lock().expect("the kernel locks files");
    file
}

/// How much of what it holds, as the program that made it counted.
pub(crate) fn counts() -> Value {
    let text = std::fs::read_to_string(format!("{DIRECTORY}/counts.json")).expect("the fixture");
    serde_json::from_str(&text).expect("it is JSON")
}

/// One role that runs without the others.
#[derive(Debug)]
pub(crate) struct Alone<'a> {
    berth: &'a Berth,
    child: Child,
}

impl<'a> Alone<'a> {
    /// Starts `berth ROLE`.
    pub(crate) fn start(berth: &'a Berth, role: &str) -> Self {
        Self { berth, child: berth.spawn(&[], &[role]) }
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        // No container was started: there is nothing that `berth down` would have to stop.
        std::fs::remove_file(self.berth.data().join("run/endpoints.json")).ok();
    }
}
