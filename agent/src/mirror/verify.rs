//! A body is complete only if its bytes hash to the digest that was asked for. Its last chunk is held back until that is
//! verified, so that a wrong body is cut short and the client sees an incomplete transfer.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use model::Digest;
use sha2::{Digest as _, Sha256, Sha512};

use crate::error::MirrorError;

/// How long the registry may send nothing within a body.
const SILENCE: Duration = Duration::from_mins(1);

enum Hasher {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn of(digest: &Digest) -> Self {
        match digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Sha512(_) => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn digest(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Self::Sha512(hasher) => Digest::Sha512(hasher.finalize().into()),
        }
    }
}

struct Checking<S> {
    body: S,
    hasher: Hasher,
    held: Option<Bytes>,
}

/// The same body, cut before its last chunk unless all of it hashes to `wanted`; `record` gets the error.
pub(super) fn checked<E: Display>(
    body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    wanted: Digest,
    record: impl Fn(MirrorError),
) -> impl Stream<Item = Result<Bytes, MirrorError>> {
    let state = Some(Checking { body, hasher: Hasher::of(&wanted), held: None });
    futures_util::stream::unfold((state, record), move |(state, record)| async move {
        let mut checking = state?;
        match checking.piece(wanted).await {
            Ok(Some(piece)) => Some((Ok(piece), (Some(checking), record))),
            Ok(None) => checking.held.take().map(|last| (Ok(last), (None, record))),
            Err(error) => {
                tracing::warn!("the image mirror cut a body: {error}");
                record(error.clone());
                Some((Err(error), (None, record)))
            }
        }
    })
}

impl<S, E> Checking<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Display,
{
    /// The next chunk that is not the last; None at the end of a verified body.
    async fn piece(&mut self, wanted: Digest) -> Result<Option<Bytes>, MirrorError> {
        loop {
            let silent = |_| MirrorError::Timeout(SILENCE);
            let next = tokio::time::timeout(SILENCE, self.body.next()).await.map_err(silent)?;
            match next {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.hasher.update(&piece);
                    if let Some(before) = self.held.replace(piece) {
                        return Ok(Some(before));
                    }
                }
                Some(Err(error)) => return Err(MirrorError::Broken(error.to_string())),
                None => {
                    let empty = Hasher::of(&wanted);
                    let found = std::mem::replace(&mut self.hasher, empty).digest();
                    return if found == wanted {
                        Ok(None)
                    } else {
                        Err(MirrorError::Corrupt { wanted, found })
                    };
                }
            }
        }
    }
}
