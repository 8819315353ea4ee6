//! Where everything lies in the data directory.

use std::path::{Path, PathBuf};

use crate::error::RoleError;
use crate::role_kind::RoleKind;

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

    /// Makes the directories that every role needs, and holds room back for its small files; a directory of Berth is its
    /// owner's alone.
    pub fn create(&self) -> Result<(), RoleError> {
        for dir in [self.root.clone(), self.run(), self.logs()] {
            disk::create_dir(&dir, 0o700).map_err(RoleError::file(&dir))?;
        }
        if let Err(error) = disk::keep_reserve(&self.root) {
            tracing::warn!(%error, "no room is held back in `{}`", self.root.display());
        }
        Ok(())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A role's own directory.
    pub fn dir(&self, role: RoleKind) -> PathBuf {
        self.root.join(role.name())
    }

    /// The administrator's token.
    pub fn admin_token(&self) -> PathBuf {
        self.root.join("admin.token")
    }

    /// The server's store.
    pub(crate) fn store(&self) -> PathBuf {
        self.dir(RoleKind::Server).join("store.redb")
    }

    /// Sockets, locks, pids and endpoints of what runs.
    pub(crate) fn run(&self) -> PathBuf {
        self.root.join("run")
    }

    /// A file of a running role, as `server.pid`.
    pub(crate) fn run_file(&self, role: RoleKind, extension: &str) -> PathBuf {
        self.run().join(format!("{role}.{extension}"))
    }

    /// Why a role ended, as it leaves it.
    pub(crate) fn failure(&self, role: RoleKind) -> PathBuf {
        self.run_file(role, "failure")
    }

    /// Log files.
    pub(crate) fn logs(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The log file of a role.
    pub fn log(&self, role: RoleKind) -> PathBuf {
        self.logs().join(format!("{role}.log"))
    }

    /// Which addresses the listeners really have.
    pub(crate) fn endpoints(&self) -> PathBuf {
        self.run().join("endpoints.json")
    }

    /// Exists while nothing can run: since a `berth down`, or since before the first `berth up` that came to its end.
    pub(crate) fn down_marker(&self) -> PathBuf {
        self.run().join("down")
    }
}
