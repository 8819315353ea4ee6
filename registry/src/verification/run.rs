//! Reads all blobs, with pauses.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use model::{Digest, RepositoryName};
use tokio_util::sync::CancellationToken;

use super::{DamagedBlob, Verification};
use crate::blocking;
use crate::error::RegistryError;
use crate::files::check::Hash;
use crate::files::{BlobFile, Files};
use crate::rows::{self, BlobRow};
use crate::shared::Shared;

/// Bytes per second that are read: a disk that serves pulls has more.
const BYTES_PER_SECOND: u64 = 64 << 20;
/// Bytes that are read at once, before a pause.
const AT_ONCE: usize = 4 << 20;
/// Blobs after which it is written down where it is.
const WRITTEN_EVERY: u64 = 100;
/// The pause after the store or the disk failed.
const RETRY: Duration = Duration::from_secs(10);
/// Damaged blobs that are listed; more are counted.
const MOST_LISTED: usize = 1_000;

/// Begins one, unless one goes on; in the file when this returns.
pub(crate) async fn begin(shared: &Arc<Shared>) -> Result<(), RegistryError> {
    if shared.verifying.open_one().is_some() {
        return Ok(());
    }
    shared.verifying.set(Verification {
        started_at: shared.clock.now(),
        ended_at: None,
        blobs: count(shared).await?,
        checked: 0,
        bytes: 0,
        damaged: 0,
        listed: Vec::new(),
        after: None,
    });
    let written = Arc::clone(shared);
    blocking("a verification cannot be begun", move || written.verifying.write()).await?;
    shared.verifying.begun.notify_one();
    Ok(())
}

async fn count(shared: &Shared) -> Result<u64, RegistryError> {
    let (mut blobs, mut after) = (0, None);
    loop {
        let page = shared.reader.range(rows::BLOBS, after, rows::STEP).await?;
        let Some((last, _)) = page.last() else { return Ok(blobs) };
        blobs += page.len() as u64;
        after = Some(last.clone());
    }
}

/// Verifies whenever that is asked for, until `shutdown`; goes on with what an earlier life has begun.
pub(crate) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    loop {
        let Some(begun) = shared.verifying.open_one() else {
            match shutdown.run_until_cancelled(shared.verifying.begun.notified()).await {
                Some(()) => continue,
                None => return,
            }
        };
        match shutdown.run_until_cancelled(verify(&shared, begun)).await {
            Some(Ok(())) => {}
            // Why is in the log; the store or the disk may recover.
            Some(Err(_)) => tokio::time::sleep(RETRY).await,
            None => return,
        }
    }
}

async fn verify(shared: &Arc<Shared>, mut now: Verification) -> Result<(), RegistryError> {
    loop {
        let after = now.after.clone().map(String::into_bytes);
        let page = shared.reader.range(rows::BLOBS, after, rows::STEP).await?;
        if page.is_empty() {
            break;
        }
        for (key, value) in page {
            let digest = String::from_utf8_lossy(&key[rows::BLOBS.len()..]).parse::<Digest>();
            if let (Ok(digest), Some(row)) = (digest, rows::read::<BlobRow>(&key, &value)) {
                if !is_right(shared, digest, row.size_bytes).await? {
                    now.damaged += 1;
                    if now.listed.len() < MOST_LISTED {
                        let repositories = holders(shared, &digest).await?;
                        now.listed.push(DamagedBlob { digest, repositories });
                    }
                }
                now.bytes += row.size_bytes;
            }
            now.checked += 1;
            now.after = Some(String::from_utf8_lossy(&key).into_owned());
            shared.verifying.set(now.clone());
            if now.checked.is_multiple_of(WRITTEN_EVERY) {
                write(shared).await?;
            }
        }
    }
    now.ended_at = Some(shared.clock.now());
    tracing::info!("verified {} blobs: {} are damaged or gone", now.checked, now.damaged);
    shared.verifying.set(now);
    write(shared).await
}

async fn write(shared: &Arc<Shared>) -> Result<(), RegistryError> {
    let shared = Arc::clone(shared);
    blocking("a verification cannot be written down", move || shared.verifying.write()).await
}

/// Reads a blob with pauses. A damaged one is in the quarantine afterwards.
async fn is_right(shared: &Arc<Shared>, digest: Digest, size: u64) -> Result<bool, RegistryError> {
    let files = Arc::clone(&shared.files);
    let open = move || files.read(&digest, size);
    let Some(BlobFile { file, .. }) = blocking("a blob cannot be opened", open).await? else {
        // Where it was removed meanwhile, nothing is damaged.
        return Ok(shared.reader.get(&rows::blob(&digest)).await?.is_none());
    };
    let (file, mut hash, mut at) = (Arc::new(file), Hash::like(&digest), 0);
    while at < size {
        let reading = Arc::clone(&file);
        let read = move || read_some(&reading, at, hash);
        let (read, hashed) = blocking("a blob cannot be read", read).await?;
        (hash, at) = (hashed, at + read);
        tokio::time::sleep(Duration::from_secs(1).mul_f64(pause(read))).await;
    }
    let files: Arc<Files> = Arc::clone(&shared.files);
    blocking("a blob cannot be judged", move || files.judge(&digest, &file, hash.finish())).await
}

/// The seconds that reading so many bytes should take.
#[expect(clippy::cast_precision_loss, reason = "some MiB")]
fn pause(bytes: u64) -> f64 {
    bytes as f64 / BYTES_PER_SECOND as f64
}

fn read_some(file: &File, at: u64, mut hash: Hash) -> io::Result<(u64, Hash)> {
    let mut bytes = vec![0; AT_ONCE];
    match rustix::io::pread(file, &mut bytes, at)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            hash.update(&bytes[..count]);
            Ok((count as u64, hash))
        }
    }
}

async fn holders(shared: &Shared, digest: &Digest) -> Result<Vec<RepositoryName>, RegistryError> {
    let page = shared.reader.range(&rows::holders(digest), None, rows::STEP).await?;
    Ok(page.iter().filter_map(|(key, _)| rows::tail(key).parse().ok()).collect())
}
