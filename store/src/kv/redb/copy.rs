//! A copy of a whole store beside it: for going back, and never opened by Berth again.
//!
//! It is made through a read transaction, so it is a store of its own that was closed well, whatever the state of the file
//! that it is made from. The price against a copy of the file's bytes is time, which grows with the number of rows.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, ReadOnlyDatabase, ReadTransaction, ReadableDatabase as _,
    ReadableTable as _, ReadableTableMetadata as _,
};

use super::tables::{META, PAIRS, failed};
use crate::kv::KvError;

/// Pairs written in one transaction, which holds them in memory.
const PAIRS_AT_ONCE: usize = 10_000;
/// What stays free behind the copy, for the rows that are rewritten after it.
const MARGIN_BYTES: u64 = 32 << 20;

/// Keeps the store in `path`, open as `database`, as `PATH.NAME`, durably. One that is there already and holds the same is
/// kept; one that holds something else is kept too, and the new one gets a number behind its name.
pub(super) fn keep(database: &Database, path: &Path, name: &str) -> Result<PathBuf, KvError> {
    keep_within(database, path, name, free)
}

fn keep_within(
    database: &Database,
    path: &Path,
    name: &str,
    free: impl Fn(&Path) -> Result<u64, KvError>,
) -> Result<PathBuf, KvError> {
    let read = database.begin_read().map_err(failed)?;
    let mut copy = beside(path, name);
    for number in 1_u32.. {
        if !copy.try_exists().map_err(failed)? {
            break;
        }
        if is_same(&read, &copy)? {
            return Ok(copy);
        }
        copy = beside(path, &format!("{name}.{number}"));
    }
    let unfinished = beside(&copy, "new");
    // Left by one that was cut off. It goes before the room is looked at, since it may be what takes it.
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let room = Room { needed: needed(path.metadata().map_err(failed)?.len()), free: free(path)? };
    room.check(path)?;
    fill(&read, &unfinished).inspect_err(|_| {
        // A full disk must not stay full of it.
        std::fs::remove_file(&unfinished).ok();
    })?;
    disk::rename(&unfinished, &copy).map_err(failed)?;
    Ok(copy)
}

fn beside(path: &Path, name: &str) -> PathBuf {
    let mut all = OsString::from(path);
    all.push(".");
    all.push(name);
    PathBuf::from(all)
}

/// Free bytes of the file system, and how many are needed.
#[derive(Debug, Clone, Copy)]
struct Room {
    needed: u64,
    free: u64,
}

impl Room {
    fn check(self, path: &Path) -> Result<(), KvError> {
        let Self { needed, free } = self;
        if needed <= free {
            return Ok(());
        }
        let dir = path.parent().unwrap_or(path).display().to_string();
        Err(KvError::NoRoom { dir, needed_bytes: needed, free_bytes: free })
    }
}

/// A copy is no larger than its file, and rewriting rows makes the file itself grow by a part.
fn needed(file_bytes: u64) -> u64 {
    file_bytes.saturating_add(file_bytes / 2).saturating_add(MARGIN_BYTES)
}

fn free(path: &Path) -> Result<u64, KvError> {
    let of = rustix::fs::statvfs(path).map_err(|errno| failed(io::Error::from(errno)))?;
    Ok(of.f_bavail.saturating_mul(of.f_frsize))
}

/// Writes all pairs into a new file. Each transaction is synced, and so is the file when it is closed.
fn fill(read: &ReadTransaction, path: &Path) -> Result<(), KvError> {
    let copy = Builder::new().create(path).map_err(failed)?;
    let write = copy.begin_write().map_err(failed)?;
    {
        let mut meta = write.open_table(META).map_err(failed)?;
        for pair in read.open_table(META).map_err(failed)?.iter().map_err(failed)? {
            let (key, value) = pair.map_err(failed)?;
            meta.insert(key.value(), value.value()).map_err(failed)?;
        }
        write.open_table(PAIRS).map_err(failed)?;
    }
    write.commit().map_err(failed)?;
    let from = read.open_table(PAIRS).map_err(failed)?;
    let mut pairs = from.iter().map_err(failed)?.peekable();
    while pairs.peek().is_some() {
        let write = copy.begin_write().map_err(failed)?;
        let mut to = write.open_table(PAIRS).map_err(failed)?;
        for pair in pairs.by_ref().take(PAIRS_AT_ONCE) {
            let (key, value) = pair.map_err(failed)?;
            to.insert(key.value(), value.value()).map_err(failed)?;
        }
        drop(to);
        write.commit().map_err(failed)?;
    }
    Ok(())
}

/// Whether a copy holds the same pairs. One that cannot be opened holds something else.
fn is_same(read: &ReadTransaction, copy: &Path) -> Result<bool, KvError> {
    let Ok(copy) = ReadOnlyDatabase::open(copy) else { return Ok(false) };
    let (ours, theirs) = (
        read.open_table(PAIRS).map_err(failed)?,
        copy.begin_read().map_err(failed)?.open_table(PAIRS).map_err(failed)?,
    );
    if ours.len().map_err(failed)? != theirs.len().map_err(failed)? {
        return Ok(false);
    }
    for (one, other) in ours.iter().map_err(failed)?.zip(theirs.iter().map_err(failed)?) {
        let (one, other) = (one.map_err(failed)?, other.map_err(failed)?);
        if (one.0.value(), one.1.value()) != (other.0.value(), other.1.value()) {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
