//! What is asked of the disk, one step at a time.

/// Steps on disk; tests make each of them fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Create,
    Write,
    SyncFile,
    Rename,
    SyncDirectory,
}
