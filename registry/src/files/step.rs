//! What is asked of the disk, one step at a time.

/// The steps that a disk may refuse. Tests let each of them fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Step {
    Create,
    Write,
    SyncFile,
    Rename,
    SyncDirectory,
}
