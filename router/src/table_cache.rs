//! The last table on disk: what a router serves from after a restart, before the server answers or without it.
//!
//! The file is complete or absent. One that cannot be read is logged and counts as absent, since a router must start.

use std::io;
use std::path::{Path, PathBuf};

use link::message::Stamped;
use model::RouterView;
use serde::{Deserialize, Serialize};

/// The format that is written; a copy of another one is not read.
const FORMAT: u32 = 1;

/// The file with the last table.
#[derive(Debug, Clone)]
pub(crate) struct TableCache {
    path: PathBuf,
}

#[derive(Serialize)]
struct Write<'a> {
    format: u32,
    table: &'a Stamped<RouterView>,
}

#[derive(Deserialize)]
struct Read {
    format: u32,
    table: Stamped<RouterView>,
}

impl TableCache {
    /// In the router's own directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join("table.json") }
    }

    /// The table, if there is one that can be read.
    pub(crate) fn load(&self) -> Option<Stamped<RouterView>> {
        match self.read() {
            Ok(table) => Some(table),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "`{}` cannot be read: there is no table before the server sends one",
                    self.path.display()
                );
                None
            }
        }
    }

    fn read(&self) -> io::Result<Stamped<RouterView>> {
        let bytes = std::fs::read(&self.path)?;
        let read: Read = serde_json::from_slice(&bytes)?;
        if read.format == FORMAT {
            return Ok(read.table);
        }
        Err(io::Error::other(format!("format `{}` is not known", read.format)))
    }

    /// Replaces the table; when this returns, it is durable.
    pub(crate) fn save(&self, table: &Stamped<RouterView>) -> io::Result<()> {
        let bytes = serde_json::to_vec(&Write { format: FORMAT, table })?;
        disk::write(&self.path, &bytes, 0o600)
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use model::{Epoch, StateRevision};

    use super::*;

    fn table() -> Stamped<RouterView> {
        let view = RouterView::default();
        Stamped { epoch: Epoch(3), revision: StateRevision(7), view }
    }

    #[test]
    fn a_table_is_read_as_it_was_written_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TableCache::new(dir.path());
        assert!(cache.load().is_none());
        cache.save(&table()).unwrap();
        assert_eq!(cache.load(), Some(table()));
        assert_eq!(std::fs::metadata(cache.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_table_or_one_of_another_format_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TableCache::new(dir.path());
        cache.save(&table()).unwrap();
        let whole = std::fs::read(cache.path()).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"{\"format\":2,\"table\":{}}"] {
            disk::write(cache.path(), damaged, 0o600).unwrap();
            assert!(cache.load().is_none());
        }
        cache.save(&table()).unwrap();
        assert_eq!(cache.load(), Some(table()), "the next one replaces it");
    }
}
