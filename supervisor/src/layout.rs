//! Where everything lies in the data directory, and which parts of Berth there are.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A process of Berth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// `berth server`.
    Server,
    /// `berth agent`.
    Agent,
    /// `berth router`.
    Router,
    /// `berth up`, which supervises the others.
    Up,
}

impl Part {
    /// What `berth up` supervises, in the order in which it starts them.
    pub const ROLES: [Self; 3] = [Self::Server, Self::Agent, Self::Router];

    /// Its name: the command, and the stem of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
            Self::Router => "router",
            Self::Up => "up",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Of this data directory.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the directories that every part needs; a directory of Berth is its owner's alone.
    pub fn create(&self) -> Result<(), Failure> {
        for dir in [self.root.clone(), self.run(), self.logs()] {
            disk::create_dir(&dir, 0o700).map_err(Failure::file(&dir))?;
        }
        Ok(())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A role's own directory.
    pub fn dir(&self, part: Part) -> PathBuf {
        self.root.join(part.name())
    }

    /// Sockets, locks, pids and endpoints of what runs.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// A file of a running part, as `server.pid`.
    pub fn run_file(&self, part: Part, extension: &str) -> PathBuf {
        self.run().join(format!("{part}.{extension}"))
    }

    /// Log files.
    pub fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The log file of a part.
    pub fn log(&self, part: Part) -> PathBuf {
        self.logs().join(format!("{part}.log"))
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    /// Which addresses the listeners really have.
    pub fn endpoints(&self) -> PathBuf {
        self.run().join("endpoints.json")
    }
}
