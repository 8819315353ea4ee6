//! What a file system has left.

use std::io;
use std::path::Path;

/// The room of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// All of it.
    pub total: u64,
    /// What a process without privileges can still take.
    pub free: u64,
}

impl Room {
    /// That of the file system that holds `path`.
    pub fn of(path: &Path) -> io::Result<Self> {
        let seen = rustix::fs::statvfs(path)?;
        let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
        Ok(Self { total: bytes(seen.f_blocks), free: bytes(seen.f_bavail) })
    }
}

/// Whether an error says that there is no room: on the disk, or for this user.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
