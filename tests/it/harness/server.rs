//! A `berth server` alone: without router, agent and Docker.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::http;
use super::wait::until;

/// A running server with data and ports of its own; ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    home: TempDir,
    process: Child,
}

impl Server {
    /// Starts one on an empty data directory, and returns when it answers.
    pub(crate) fn start() -> Self {
        let home = tempfile::Builder::new().prefix("berth-it-").tempdir().expect("a directory");
        let log = std::fs::File::create(home.path().join("server.log")).expect("a log");
        Self::start_with(home, log.into())
    }

    /// The same where it logs much to that.
    pub(crate) fn start_logging_to(log: OwnedFd) -> Self {
        let home = tempfile::Builder::new().prefix("berth-it-").tempdir().expect("a directory");
        Self::start_with(home, log)
    }

    fn start_with(home: TempDir, log: OwnedFd) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("server").env("BERTH_DATA_DIR", home.path().join("data"));
        command.env("BERTH_LOG_LEVEL", "trace");
        for listener in ["REGISTRY", "ADMIN", "LINK"] {
            command.env(format!("BERTH_{listener}_LISTEN"), "127.0.0.1:0");
        }
        let stdout = log.try_clone().expect("a second handle of the log");
        let command = command.stdin(Stdio::null()).stdout(stdout).stderr(log);
        let server = Self { home, process: command.spawn().expect("the berth binary starts") };
        until("the server answers", || {
            server.address().is_some_and(|address| {
                http::get(&format!("{address}/livez")).is_ok_and(|answer| answer.status == 200)
            })
        });
        server
    }

    fn address(&self) -> Option<String> {
        let text =
            std::fs::read_to_string(self.home.path().join("data/run/endpoints.json")).ok()?;
        let endpoints: Value = serde_json::from_str(&text).ok()?;
        Some(format!("http://{}", endpoints["admin"].as_str()?))
    }

    /// `http://host:port` of the admin API.
    pub(crate) fn admin(&self) -> String {
        self.address().expect("it has listened")
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.process.try_wait().expect("our own child").is_none()
    }

    /// The administrator's token.
    pub(crate) fn token(&self) -> String {
        let token = self.home.path().join("data/admin.token");
        std::fs::read_to_string(token).expect("a token").trim().to_owned()
    }

    /// A directory of the test's own.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("server.log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
