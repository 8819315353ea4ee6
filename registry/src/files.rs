//! A blob file exists under its digest only if its bytes hash to that digest and are on disk: it is written under another
//! name, synced, renamed, and the directory is synced; only then may a row name it. Files are opened by parsed digests and
//! ids alone, so no text of a client ever becomes a path.
//!
//! All of these functions block.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use disk::Room;
use model::{Clock, Digest};
use sha2::{Digest as _, Sha256, Sha512};

use crate::route::UploadId;

pub(crate) mod check;
pub(crate) mod disk_room;
#[cfg(test)]
pub(crate) mod faults;
pub(crate) mod step;

use check::{Checks, Hash};
use disk_room::DiskRoom;
use step::Step;

/// Bytes that are read at once.
const READ_BYTES: usize = 256 << 10;

/// The registry's directory.
pub(crate) struct Files {
    dir: PathBuf,
    low_water: Option<u64>,
    clock: Arc<dyn Clock>,
    checks: Checks,
    #[cfg(test)]
    pub(crate) faults: Arc<faults::Faults>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// The file of a blob, open.
#[derive(Debug)]
pub(crate) struct BlobFile {
    pub(crate) file: File,
    /// Whether its bytes were found right within a day. Else who reads them hashes them.
    pub(crate) is_checked: bool,
}

impl Files {
    /// Creates the directories, and removes uploads that earlier runs left unfinished: that first, since nothing else may
    /// have room before.
    pub(crate) fn open(
        dir: &Path,
        low_water: Option<u64>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let files = Self {
            dir: dir.to_owned(),
            low_water,
            clock,
            checks: Checks::default(),
            #[cfg(test)]
            faults: Arc::default(),
        };
        disk::create_dir(dir, 0o700)?;
        disk::create_dir(&files.uploads(), 0o700)?;
        disk::create_dir(&files.quarantine(), 0o700)?;
        for entry in fs::read_dir(files.uploads())? {
            fs::remove_file(entry?.path())?;
        }
        for algorithm in ["sha256", "sha512"] {
            let blobs = dir.join("blobs").join(algorithm);
            disk::create_dir(&blobs, 0o700)?;
            for shard in 0..=u8::MAX {
                match fs::create_dir(blobs.join(format!("{shard:02x}"))) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                        return Err(error);
                    }
                    Ok(()) | Err(_) => {}
                }
            }
            disk::sync_dir(&blobs)?;
        }
        Ok(files)
    }

    fn uploads(&self) -> PathBuf {
        self.dir.join("uploads")
    }

    fn quarantine(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    fn upload(&self, id: UploadId) -> PathBuf {
        self.uploads().join(id.to_string())
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.dir.join("blobs").join(digest.algorithm()).join(&hex[..2]).join(&hex)
    }

    /// The room of the disk, and where it ends for pushes.
    pub(crate) fn room(&self) -> io::Result<DiskRoom> {
        #[cfg(test)]
        if let Some(room) = self.faults.room() {
            return Ok(room);
        }
        Ok(DiskRoom::new(Room::of(&self.dir)?, self.low_water))
    }

    /// Fails where so many bytes more would leave less than the low-water mark.
    pub(crate) fn check_room(&self, more: u64) -> io::Result<()> {
        let room = self.room()?;
        if room.free < room.low_water.saturating_add(more) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// An empty file for an upload.
    pub(crate) fn create(&self, id: UploadId) -> io::Result<UploadFile> {
        self.step(Step::Create)?;
        let options = OpenOptions::new().write(true).create_new(true).mode(0o600).clone();
        Ok(UploadFile { file: options.open(self.upload(id))?, kept: 0, is_longer: false })
    }

    /// The file of an upload, cut to its first `length` bytes and ready to take the next one: what was written after the
    /// last acknowledged byte is gone.
    pub(crate) fn resume(&self, id: UploadId, length: u64) -> io::Result<UploadFile> {
        let mut file = OpenOptions::new().write(true).open(self.upload(id))?;
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(UploadFile { file, kept: length, is_longer: false })
    }

    pub(crate) fn write(&self, to: &mut UploadFile, bytes: &[u8]) -> io::Result<()> {
        to.is_longer = true;
        self.step(Step::Write)?;
        to.file.write_all(bytes)
    }

    /// Removes the file of an upload; it may be gone already.
    pub(crate) fn discard(&self, id: UploadId) {
        if let Err(error) = fs::remove_file(self.upload(id))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "upload `{id}` cannot be removed; the next start removes it");
        }
    }

    /// SHA-512 of an upload, read again: which algorithm a client names its blob by is known only at the end.
    pub(crate) fn sha512(&self, id: UploadId) -> io::Result<Digest> {
        let mut file = File::open(self.upload(id))?;
        let mut buffer = vec![0; READ_BYTES];
        let mut hash = Sha512::new();
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Digest::Sha512(hash.finalize().into())),
                count => hash.update(&buffer[..count]),
            }
        }
    }

    /// Makes an upload the file of the blob that its bytes hash to, durably. It takes the place of one that is there already:
    /// that may have changed on disk since, and what was just pushed has not.
    pub(crate) fn settle(&self, id: UploadId, digest: &Digest) -> io::Result<()> {
        let (from, to) = (self.upload(id), self.blob(digest));
        self.checks.forget(digest);
        self.step(Step::SyncFile)?;
        File::open(&from)?.sync_data()?;
        self.step(Step::Rename)?;
        fs::rename(&from, &to)?;
        self.step(Step::SyncDirectory)?;
        disk::sync_dir(to.parent().expect("a blob lies in a directory"))
    }

    /// Whether the file of a blob is there with its size.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> io::Result<bool> {
        match fs::metadata(self.blob(digest)) {
            Ok(metadata) => Ok(metadata.len() == size),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The file of a blob; None where a row says more than the disk holds.
    pub(crate) fn read(&self, digest: &Digest, size: u64) -> io::Result<Option<BlobFile>> {
        match File::open(self.blob(digest)) {
            Ok(file) if file.metadata()?.len() == size => {
                let is_checked = self.checks.counts(digest, self.clock.now());
                Ok(Some(BlobFile { file, is_checked }))
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => {
                tracing::error!("the file of `{digest}` is damaged or gone; a push of it heals it");
                Ok(None)
            }
        }
    }

    /// The bytes of a small blob; None where the disk does not hold what a row says.
    pub(crate) fn read_all(&self, digest: &Digest, size: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(BlobFile { mut file, is_checked }) = self.read(digest, size)? else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.read_to_end(&mut bytes)?;
        if !is_checked && !self.judge(digest, &file, digest_like(digest, &bytes))? {
            return Ok(None);
        }
        Ok(Some(bytes))
    }

    /// Whether a blob's bytes, which were read from this file and have the digest `found`, are right. Where they are not, the file goes to the
    /// quarantine, so that nobody gets them again and a push heals it.
    pub(crate) fn judge(&self, digest: &Digest, read: &File, found: Digest) -> io::Result<bool> {
        if found == *digest {
            self.checks.note(digest, self.clock.now());
            return Ok(true);
        }
        let from = self.blob(digest);
        let to = self.quarantine().join(format!("{}-{}", digest.algorithm(), digest.hex()));
        let inode = read.metadata()?.ino();
        let is_read = |path: &Path| fs::metadata(path).is_ok_and(|there| there.ino() == inode);
        // A push may put another one in its place at any moment, also between these two steps.
        if is_read(&from) {
            fs::rename(&from, &to)?;
            if !is_read(&to) {
                fs::rename(&to, &from)?;
            }
            tracing::error!(
                "the file of `{digest}` does not hold what was pushed any more; it is in `{}` now, and a push heals it",
                self.quarantine().display()
            );
        }
        Ok(false)
    }

    #[cfg(test)]
    fn step(&self, step: Step) -> io::Result<()> {
        self.faults.step(step)
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "tests fail here")]
    fn step(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

/// The file of an upload that is written to. What is not kept when this is dropped is cut off, and its room is free.
#[derive(Debug)]
pub(crate) struct UploadFile {
    file: File,
    kept: u64,
    is_longer: bool,
}

impl UploadFile {
    /// Keeps its first `length` bytes, which are all that are written.
    pub(crate) fn keep(&mut self, length: u64) {
        (self.kept, self.is_longer) = (length, false);
    }
}

impl Drop for UploadFile {
    fn drop(&mut self) {
        if self.is_longer
            && let Err(error) = self.file.set_len(self.kept)
        {
            tracing::warn!(%error, "an upload cannot be cut to what counts of it");
        }
    }
}

/// SHA-256 or SHA-512 of bytes in memory, as `like` is.
pub(crate) fn digest_like(like: &Digest, bytes: &[u8]) -> Digest {
    let mut hash = Hash::like(like);
    hash.update(bytes);
    hash.finish()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Digest::Sha256(Sha256::digest(bytes).into())
}
