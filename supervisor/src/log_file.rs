//! The log file of a role, which the role writes and rotates itself while it runs. A log that cannot be written ends nothing:
//! lines that do not fit on the disk are counted, and the count is told with the next line that fits.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use config::LogFormat;
use serde::Serialize;

/// Bytes of a file, from which on it is set aside.
const LONGEST: u64 = 16 * 1024 * 1024;
/// How many files that were set aside are kept: with the one that is written, a role has 64 MiB of log at most.
const KEPT: u32 = 3;

/// A log file that is written line by line.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    format: LogFormat,
    longest: u64,
    file: Option<File>,
    length: u64,
    dropped: u64,
    /// The last line was not written as a whole.
    is_cut: bool,
}

/// What tells a program that reads a log how many lines it lacks.
#[derive(Serialize)]
struct Told {
    level: &'static str,
    message: String,
    dropped: u64,
}

impl LogFile {
    /// At this path, which need not be writable yet, with lines in this format.
    pub fn new(path: &Path, format: LogFormat) -> Self {
        Self {
            path: path.to_owned(),
            format,
            longest: LONGEST,
            file: None,
            length: 0,
            dropped: 0,
            is_cut: false,
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.length >= self.longest {
            self.rotate();
        }
        if self.file.is_none() {
            let file = open(&self.path)?;
            self.length = file.metadata()?.size();
            self.file = Some(file);
        }
        if self.is_cut {
            self.put(b"\n")?;
        }
        if self.dropped > 0 {
            self.put(self.told().as_bytes())?;
            self.dropped = 0;
        }
        self.put(line)
    }

    /// Writes a line to the open file.
    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut rest = line;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(written) => {
                    self.length += written as u64;
                    rest = &rest[written..];
                    self.is_cut = !rest.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The line that tells what was dropped.
    fn told(&self) -> String {
        let message = format!("{} lines of this log could not be written", self.dropped);
        let line = match self.format {
            LogFormat::Text => message,
            LogFormat::Json => {
                let told = Told { level: "WARN", message, dropped: self.dropped };
                serde_json::to_string(&told).expect("it has texts and a number only")
            }
        };
        line + "\n"
    }

    /// Sets the file aside and the oldest one away. Where that fails, the file grows no longer.
    fn rotate(&mut self) {
        self.file = None;
        for number in (1..=KEPT).rev() {
            let from = if number == 1 { self.path.clone() } else { aside(&self.path, number - 1) };
            std::fs::rename(from, aside(&self.path, number)).ok();
        }
        if std::fs::metadata(&self.path).is_ok_and(|still| still.size() >= self.longest) {
            std::fs::remove_file(&self.path).ok();
        }
        self.length = 0;
    }
}

impl Write for LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.append(line).is_err() {
            self.dropped = self.dropped.saturating_add(1);
            // Opened again: the directory may have been emptied or mounted anew.
            self.file = None;
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a log file to write at its end.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn aside(path: &Path, number: u32) -> PathBuf {
    path.with_extension(format!("log.{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    #[test]
    fn a_log_is_rotated_while_it_is_written_and_bounded_as_a_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("router.log");
        let short = || LogFile { longest: 20, ..LogFile::new(&path, LogFormat::Text) };
        let mut log = short();
        for number in 0..40 {
            log.write_all(format!("line {number:02}\n").as_bytes()).unwrap();
        }
        let entries = std::fs::read_dir(dir.path()).unwrap().map(|one| one.unwrap());
        let sizes: Vec<u64> = entries.map(|one| one.metadata().unwrap().size()).collect();
        assert_eq!(sizes.len(), 4, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size < 30), "{sizes:?}");
        let last = read(&path);
        assert!(last.ends_with("line 39\n"), "{last}");
        assert!(read(&aside(&path, 1)).ends_with('\n'), "a line is in one file");
        let mut again = short();
        again.write_all(b"after a restart\n").unwrap();
        assert_eq!(read(&path), format!("{last}after a restart\n"), "it goes on at the end");
    }

    #[test]
    fn a_log_that_cannot_be_written_ends_nothing_and_tells_what_is_missing_later() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("not there yet/router.log");
        let logs = [LogFormat::Text, LogFormat::Json].map(|format| LogFile::new(&path, format));
        let told = logs.map(|mut log| {
            log.write_all(b"lost\n").unwrap();
            log.write_all(b"lost too\n").unwrap();
            disk::create_dir(path.parent().unwrap(), 0o700).unwrap();
            log.write_all(b"there\n").unwrap();
            log.write_all(b"and there\n").unwrap();
            let text = read(&path);
            std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
            text.strip_suffix("\nthere\nand there\n").map(ToOwned::to_owned)
        });
        let [text, json] = told.map(|told| told.expect("what comes later is there"));
        assert_eq!(text, "2 lines of this log could not be written");
        assert_eq!(json, format!("{{\"level\":\"WARN\",\"message\":\"{text}\",\"dropped\":2}}"));
    }

    #[test]
    fn a_full_disk_ends_nothing() {
        let mut log = LogFile::new(Path::new("/dev/full"), LogFormat::Text);
        log.write_all(b"lost\n").unwrap();
        assert_eq!(log.dropped, 1);
    }
}
