//! Room that is held back for what must still be written on a full disk: the store, and small files such as where a process
//! is, what a router serves, the next certificate of a peer.
//!
//! It is a file of allocated blocks in a directory, for all that is written below it, by any process. Of it goes what one
//! write needs, and comes back as far as there is room afterwards: a file that takes the place of an older one leaves the
//! reserve as it was. Blocks ahead of the end of a file would do for that one file only, and a file system gives them up when
//! the file is set to its own length.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock};
use rustix::io::Errno;

use crate::{Room, is_full};

const NAME: &str = ".reserve";
/// Bytes that are held back: the store grows by less while pushes are refused, since the history in it is bounded.
const BYTES: u64 = 16 << 20;
/// What is allocated at once on common file systems; what a file needs is rounded up to it.
const BLOCK: u64 = 4 << 10;

/// Does what takes room for so many bytes at `path`: out of the reserve above it, where the disk has no other.
pub fn with_reserve<T>(
    path: &Path,
    bytes: u64,
    mut work: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let done = work();
    if !done.as_ref().is_err_and(is_full) {
        return done;
    }
    match take(path, bytes) {
        Some(_room) => work(),
        None => done,
    }
}

/// Holds room back in a directory, as much of it as there is. Where the file system cannot allocate ahead, there is none.
pub fn keep_reserve(dir: &Path) -> io::Result<()> {
    let path = dir.join(NAME);
    let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
    let file = options.open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    refill(&file, dir)
}

fn refill(file: &File, dir: &Path) -> io::Result<()> {
    let held = file.metadata()?.len();
    let more = BYTES.saturating_sub(held).min(Room::of(dir)?.free) / BLOCK * BLOCK;
    if more == 0 {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::empty(), held, more) {
        // NOSPC: somebody else was faster.
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSPC | Errno::DQUOT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What was taken from a reserve; goes back as far as there is room when this is dropped.
#[derive(Debug)]
struct Taken<'a> {
    file: File,
    dir: &'a Path,
}

/// Gives room for so many bytes; None where there is no reserve above it, or nothing left of it.
fn take(path: &Path, bytes: u64) -> Option<Taken<'_>> {
    let mut above = path.ancestors().skip(1);
    let found = above.find_map(|dir| {
        let opened = OpenOptions::new().write(true).open(dir.join(NAME));
        opened.ok().map(|file| Taken { file, dir })
    });
    let taken = found?;
    // Until it is dropped: others wait, and do not take the room that was given.
    flock(&taken.file, FlockOperation::LockExclusive).ok()?;
    let held = taken.file.metadata().ok()?.len();
    // One block more, for a name in a directory or for what the file system notes of the blocks.
    let wanted = bytes.next_multiple_of(BLOCK) + BLOCK;
    let left = held.checked_sub(wanted)?;
    taken.file.set_len(left).ok()?;
    Some(taken)
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // What does not come back now comes back later, or never: the file that matters is written.
        refill(&self.file, self.dir).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    fn held(dir: &Path) -> u64 {
        std::fs::metadata(dir.join(NAME)).unwrap().blocks() * 512
    }

    #[test]
    fn what_one_file_takes_from_the_reserve_comes_back_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        keep_reserve(dir.path()).unwrap();
        let full = held(dir.path());
        assert!(full >= BYTES);
        let file = dir.path().join("router/table");
        let taken = take(&file, 10_000).unwrap();
        assert_eq!(full - held(dir.path()), 4 * BLOCK);
        drop(taken);
        assert_eq!(held(dir.path()), full);
    }

    #[test]
    fn a_file_that_is_larger_than_the_reserve_leaves_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert!(take(&dir.path().join("file"), 1).is_none(), "there is none");
        keep_reserve(dir.path()).unwrap();
        assert!(take(&dir.path().join("file"), BYTES).is_none());
        assert!(held(dir.path()) >= BYTES);
    }
}
