//! The last table on disk: what a router serves from after a restart, before the server answers or without it.
//!
//! The file is complete or absent. One that cannot be read is logged and counts as absent, since a router must start. It
//! holds the collections that may lie on disk: a line with the format, the stamp and the number of rows, then the rows.
//! The version before wrote one JSON document, which is read, too.

use std::io;
use std::path::{Path, PathBuf};

use link::message::Stamped;
use link::v1::Version1 as _;
use model::view::{View as _, from_text, to_text};
use model::{Epoch, RouterView, StateRevision};
use serde::{Deserialize, Serialize};

/// The format that is written.
const FORMAT: u32 = 2;

/// The file with the last table.
#[derive(Debug, Clone)]
pub(crate) struct TableCache {
    path: PathBuf,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    epoch: Epoch,
    revision: StateRevision,
    rows: usize,
}

/// The file in the format of the version before.
#[derive(Deserialize)]
struct Format1 {
    table: Stamped<<RouterView as link::v1::Version1>::Document>,
}

/// What tells the formats apart.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl TableCache {
    /// In the router's own directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join("table.json") }
    }

    /// The table, if there is one that can be read.
    pub(crate) fn load(&self) -> Option<Stamped<RouterView>> {
        match std::fs::read_to_string(&self.path).and_then(|text| read(&text)) {
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

    /// Replaces the table; when this returns, it is durable.
    pub(crate) fn save(&self, table: &Stamped<RouterView>) -> io::Result<()> {
        let rows = to_text(&table.view, |collection| collection.on_disk.mode().is_some())?;
        let header = Header {
            format: FORMAT,
            epoch: table.epoch,
            revision: table.revision,
            rows: rows.lines().count(),
        };
        let text = format!("{}\n{rows}", serde_json::to_string(&header)?);
        disk::write(&self.path, text.as_bytes(), mode())
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn read(text: &str) -> io::Result<Stamped<RouterView>> {
    let (first, rows) = text.split_once('\n').unwrap_or((text, ""));
    match serde_json::from_str::<Format>(first)?.format {
        1 => {
            let Stamped { epoch, revision, view } = serde_json::from_str::<Format1>(first)?.table;
            Ok(Stamped { epoch, revision, view: RouterView::from_document(view) })
        }
        FORMAT => {
            let header: Header = serde_json::from_str(first)?;
            if rows.lines().count() != header.rows || !(rows.is_empty() || rows.ends_with('\n')) {
                return Err(io::Error::other("rows are missing"));
            }
            let (epoch, revision) = (header.epoch, header.revision);
            Ok(Stamped { epoch, revision, view: from_text(rows)? })
        }
        other => Err(io::Error::other(format!("format `{other}` is not known"))),
    }
}

/// The mode of the file: what all collections in it allow.
fn mode() -> u32 {
    let modes = RouterView::COLLECTIONS.iter().filter_map(|collection| collection.on_disk.mode());
    modes.fold(0o600, |all, one| all & one)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A table as the version before wrote it: two rules, two groups, two targets of the first one.
    const FORMAT_1: &str = include_str!("tests/fixtures/table_format_1.json");

    fn table() -> Stamped<RouterView> {
        read(FORMAT_1).unwrap()
    }

    #[test]
    fn a_table_is_read_as_it_was_written_and_only_its_owner_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TableCache::new(dir.path());
        assert!(cache.load().is_none());
        for view in [RouterView::default(), table().view] {
            let table = Stamped { view, ..table() };
            cache.save(&table).unwrap();
            assert_eq!(cache.load(), Some(table));
        }
        assert_eq!(std::fs::metadata(cache.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_table_of_the_version_before_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TableCache::new(dir.path());
        disk::write(cache.path(), FORMAT_1.as_bytes(), 0o600).unwrap();
        let table = cache.load().unwrap();
        assert_eq!((table.epoch, table.revision), (Epoch(7), StateRevision(41)));
        let groups: Vec<_> = table
            .view
            .groups()
            .map(|(group, targets)| (group.name.to_string(), group.expects_targets, targets.len()))
            .collect();
        assert_eq!(groups, [("shop".to_owned(), true, 2), ("idle".to_owned(), false, 0)]);
        let draining: Vec<_> = table.view.targets.values().map(|target| target.draining).collect();
        assert_eq!(draining, [false, true]);
        let hosts = table.view.rules.values().map(|rule| &rule.conditions.host_header);
        assert!(hosts.eq([&["shop.localhost".to_owned()], &["shop.localhost".to_owned()]]));
        assert_eq!(table.view.listeners.len(), 1);
    }

    #[test]
    fn a_damaged_table_or_one_of_another_format_counts_as_none() {
        let dir = tempfile::tempdir().unwrap();
        let cache = TableCache::new(dir.path());
        cache.save(&table()).unwrap();
        let whole = std::fs::read_to_string(cache.path()).unwrap();
        let (without_last_row, _) = whole.trim_end().rsplit_once('\n').unwrap();
        let without_last_row = format!("{without_last_row}\n");
        let later = "{\"format\":3,\"epoch\":1,\"revision\":1,\"rows\":0}\n";
        let half = &whole[..whole.len() / 2];
        for damaged in [half, &without_last_row, "", "{\"format\":1,\"table\":{}}", later] {
            disk::write(cache.path(), damaged.as_bytes(), 0o600).unwrap();
            assert!(cache.load().is_none(), "{damaged}");
        }
        cache.save(&table()).unwrap();
        assert_eq!(cache.load(), Some(table()), "the next one replaces it");
    }
}
