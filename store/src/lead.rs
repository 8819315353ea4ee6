//! Taking the lead of a store: only one of this program's format is written to.

use model::Epoch;

use crate::OpenError;
use crate::counts::Difference;
use crate::format::{self, FILE, FormatError, Found};
use crate::kv::Kv;
use crate::migration::{Migration, MigrationError, Pace};

/// Takes the lead of a store that has this program's format, or gives it that; says whether it is still to be written.
pub(crate) async fn take(kv: &dyn Kv, path: &str, pace: Pace) -> Result<(Epoch, bool), OpenError> {
    let path = path.to_owned();
    let found = format::read(kv).await.map_err(|error| unreadable(error, &path))?;
    let failed = |error| stopped(error, &path);
    let campaign = async || kv.campaign().await.map_err(MigrationError::Engine).map_err(failed);
    let from = match found {
        Found::Current => return Ok((campaign().await?, false)),
        Found::Empty => return Ok((campaign().await?, true)),
        Found::Older(from) => from,
    };
    // The copy comes before anything is written.
    let upgrade = Migration::prepare(kv, from, pace).await.map_err(failed)?;
    let epoch = campaign().await?;
    upgrade.run(kv, epoch).await.map_err(failed)?;
    Ok((epoch, false))
}

fn unreadable(error: FormatError, path: &str) -> OpenError {
    let path = path.to_owned();
    match error {
        FormatError::Engine(source) => OpenError::Engine { path, source },
        FormatError::Unreadable(written) => OpenError::Format { path, written },
        FormatError::TooNew { number: found, written_by } => {
            let reads = format::CURRENT;
            let copy = format!("{FILE}.{}", format::copy_name(reads));
            OpenError::TooNew { path, found, written_by, reads, copy }
        }
    }
}

fn stopped(error: MigrationError, path: &str) -> OpenError {
    let path = path.to_owned();
    match error {
        MigrationError::Engine(source) => OpenError::Engine { path, source },
        MigrationError::Row(source) => OpenError::Row { path, source },
        MigrationError::Counts(Difference { kind, before, after }) => {
            OpenError::Upgrade { path, kind, before, after }
        }
    }
}
