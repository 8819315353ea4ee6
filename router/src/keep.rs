//! The last good table on disk: what a router serves from after a restart, before the server answers or without it.
//!
//! The copy is whole or not there. One that cannot be read is reported and counts as none, as a router must start.

use std::io;
use std::path::{Path, PathBuf};

use link::message::Stamped;
use model::RouterView;
use serde::{Deserialize, Serialize};

/// The format that is written; a copy of another one is not read.
const FORMAT: u32 = 1;

/// Where the copy lies.
#[derive(Debug, Clone)]
pub(crate) struct Keep {
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

impl Keep {
    /// In the router's own directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join("table.json") }
    }

    /// The copy, if there is one that can be read.
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

    /// Replaces the copy; when this returns, it is durable.
    pub(crate) fn save(&self, table: &Stamped<RouterView>) -> io::Result<()> {
        let bytes = serde_json::to_vec(&Write { format: FORMAT, table })?;
        disk::write(&self.path, &bytes, 0o600)
    }

    /// Where it lies.
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
    fn a_copy_is_read_as_it_was_written_and_is_for_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let keep = Keep::new(dir.path());
        assert!(keep.load().is_none());
        keep.save(&table()).unwrap();
        assert_eq!(keep.load(), Some(table()));
        assert_eq!(std::fs::metadata(keep.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_copy_or_one_of_another_format_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let keep = Keep::new(dir.path());
        keep.save(&table()).unwrap();
        let whole = std::fs::read(keep.path()).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"", b"{\"format\":2,\"table\":{}}"] {
            disk::write(keep.path(), damaged, 0o600).unwrap();
            assert!(keep.load().is_none());
        }
        keep.save(&table()).unwrap();
        assert_eq!(keep.load(), Some(table()), "the next one replaces it");
    }
}
