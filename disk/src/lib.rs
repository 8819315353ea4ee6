//! A file is written durably or not at all: after a crash it holds the old bytes or the new ones, never a mixture, and
//! what was reported as written is there.
//!
//! The price is two `fsync`s per write, of the file and of its directory, so this is for small files that matter; big
//! ones are written by their owners, who end with [`rename`]. Small ones are written on a full disk too, where
//! [`keep_reserve`] held room back for them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

mod reserve;
mod room;

pub use reserve::{keep_reserve, with_reserve};
pub use room::{Room, is_full};

/// Writes `bytes` as the file's whole content: a temporary file beside it, `fsync`, rename, `fsync` of the directory.
/// The file has exactly `mode`. On an error the file is as it was before.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    with_reserve(path, bytes.len() as u64, || replace(path, bytes, mode))
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let temporary = beside(path)?;
    let written = write_new(&temporary, bytes, mode).and_then(|()| rename(&temporary, path));
    if written.is_err() {
        // The error that matters is the first one; a temporary file that stays behind is never read.
        std::fs::remove_file(&temporary).ok();
    }
    written
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("`{}` names no file", path.display()))
    })?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{number}.new", std::process::id()));
    Ok(path.with_file_name(temporary))
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Renames a file whose bytes are synced already, and makes the name durable. Both lie in the same file system.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)?;
    sync_dir(parent(to))
}

/// Makes the names in a directory durable.
pub fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a directory and all above it that are missing; the last one has exactly `mode`, also when it was there.
pub fn create_dir(path: &Path, mode: u32) -> io::Result<()> {
    let is_missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let missing = path.ancestors().take_while(is_missing).count();
    DirBuilder::new().recursive(true).mode(mode).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    // A name is durable once the directory that it stands in is synced, and each new one stands in another.
    path.ancestors().take(missing.max(1)).try_for_each(|dir| sync_dir(parent(dir)))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Holds a lock file for as long as it lives. The kernel lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock; None when somebody else holds it.
    pub fn acquire(path: &Path) -> io::Result<Option<Self>> {
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_has_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"old and long", 0o644).unwrap();
        write(&path, b"new", 0o600).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["key"], "nothing stays behind");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        assert!(write(&path, b"new", 0o600).is_err());
        assert_eq!(names(dir.path()), ["taken"]);
        assert!(write(&dir.path().join("no/such/dir"), b"new", 0o600).is_err());
    }

    #[test]
    fn a_directory_gets_its_mode_also_when_it_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        create_dir(&path, 0o755).unwrap();
        create_dir(&path, 0o700).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_lock_is_held_by_one_until_it_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::acquire(&path).unwrap().expect("nobody holds it");
        assert!(Lock::acquire(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::acquire(&path).unwrap().is_some());
    }
}
