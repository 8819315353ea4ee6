//! The logs of containers that are gone: files in the agent's directory, so that a log can still be read after its container
//! was removed.

use std::collections::VecDeque;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use model::{ContainerName, TaskId};

/// Bytes that are kept of a container's log: the last ones.
const MOST_OF_ONE: usize = 1024 * 1024;
/// Bytes that are kept in all; the oldest go first.
const MOST_OF_ALL: u64 = 1024 * 1024 * 1024;
/// How long a log is kept.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// The kept logs.
#[derive(Debug, Clone)]
pub(crate) struct LogStore {
    dir: PathBuf,
}

/// The last lines of a log, within what is kept of one.
#[derive(Debug, Default)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl LastLines {
    /// Adds a line; the first ones go where there are too many bytes.
    pub(crate) fn push(&mut self, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > MOST_OF_ONE
            && let Some(first) = self.lines.pop_front()
        {
            self.bytes -= first.len() + 1;
        }
    }

    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

/// A file that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    path: PathBuf,
    bytes: u64,
    age: Duration,
}

impl LogStore {
    /// In the agent's own directory.
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.join("logs") }
    }

    /// Keeps the log of a container, and drops what is too old or too much.
    pub(crate) fn keep(
        &self,
        task: TaskId,
        container: &ContainerName,
        log: &LastLines,
    ) -> io::Result<()> {
        if log.lines.is_empty() {
            return Ok(());
        }
        let dir = self.dir.join(task.to_string());
        fs::create_dir_all(&dir)?;
        let path = dir.join(container.as_str());
        disk::write(&path, log.text().as_bytes(), 0o600)?;
        // Ages are counted from the newest file: the file system's clock is the one that dates them.
        self.sweep(fs::metadata(&path)?.modified()?);
        Ok(())
    }

    /// The kept log of a container.
    pub(crate) fn read(&self, task: TaskId, container: &ContainerName) -> Option<String> {
        fs::read_to_string(self.dir.join(task.to_string()).join(container.as_str())).ok()
    }

    /// The containers of a task whose logs are kept.
    pub(crate) fn containers(&self, task: TaskId) -> Vec<ContainerName> {
        let files = fs::read_dir(self.dir.join(task.to_string())).into_iter().flatten().flatten();
        let mut names: Vec<ContainerName> =
            files.filter_map(|file| file.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        names
    }

    fn sweep(&self, now: SystemTime) {
        for path in surplus(self.kept(now)) {
            fs::remove_file(&path).ok();
            // Goes with the last log in it.
            path.parent().map(fs::remove_dir);
        }
    }

    fn kept(&self, now: SystemTime) -> Vec<Kept> {
        let tasks = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let files =
            tasks.flat_map(|task| fs::read_dir(task.path()).into_iter().flatten().flatten());
        let age = |metadata: &Metadata| Some(now.duration_since(metadata.modified().ok()?).ok());
        files
            .filter_map(|file| {
                let metadata = file.metadata().ok()?;
                let age = age(&metadata)?.unwrap_or_default();
                Some(Kept { path: file.path(), bytes: metadata.len(), age })
            })
            .collect()
    }
}

/// Which files go: those that are too old, and of the others the oldest that are too much.
fn surplus(mut kept: Vec<Kept>) -> Vec<PathBuf> {
    kept.sort_by(|one, other| (one.age, &one.path).cmp(&(other.age, &other.path)));
    let mut bytes = 0;
    kept.retain(|one| {
        bytes += one.bytes;
        one.age > LONGEST || bytes > MOST_OF_ALL
    });
    kept.into_iter().map(|one| one.path).collect()
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;
    use crate::tests::name;

    fn task(n: u8) -> TaskId {
        TaskId::new(Timestamp::EPOCH, [n; 10])
    }

    #[test]
    fn a_log_is_kept_whole_up_to_a_mebibyte_and_then_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::new(dir.path());
        let mut log = LastLines::default();
        (0..61).for_each(|n| log.push(format!("line {n}")));
        store.keep(task(1), &name("app"), &log).unwrap();
        assert_eq!(store.read(task(1), &name("app")).unwrap().lines().count(), 61);
        (0..200_000).for_each(|n| log.push(format!("much {n}")));
        store.keep(task(1), &name("app"), &log).unwrap();
        let kept = store.read(task(1), &name("app")).unwrap();
        assert!(kept.len() <= MOST_OF_ONE && kept.len() > MOST_OF_ONE - 100, "{}", kept.len());
        assert!(kept.ends_with("much 199999\n"));
        assert_eq!(store.containers(task(1)), [name("app")]);
        assert_eq!(store.read(task(2), &name("app")), None);
    }

    #[test]
    fn what_is_old_goes_and_then_the_oldest_of_what_is_too_much() {
        let day = Duration::from_hours(24);
        let kept = |name: &str, bytes, age| Kept { path: PathBuf::from(name), bytes, age };
        let gigabyte = MOST_OF_ALL;
        let all = vec![
            kept("new", 10, day),
            kept("old", 10, 8 * day),
            kept("large", gigabyte - 15, 2 * day),
            kept("third", 10, 3 * day),
        ];
        assert_eq!(surplus(all), [PathBuf::from("third"), PathBuf::from("old")]);
    }

    #[test]
    fn a_directory_goes_with_its_last_log() {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::new(dir.path());
        let mut log = LastLines::default();
        log.push("hello".to_owned());
        store.keep(task(1), &name("app"), &log).unwrap();
        // Centuries from now.
        store.sweep(SystemTime::UNIX_EPOCH + 100_000 * LONGEST);
        assert_eq!(fs::read_dir(dir.path().join("logs")).unwrap().count(), 0);
    }
}
