//! The power goes at any moment, also while the store recovers from the last time.

use model::RowWrite;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::platter::Platter;
use super::{LAST, Ledger, Rows, for_each_seed};
use crate::key;
use crate::kv::redb::RedbKv;
use crate::kv::{Kv, Range, Write};

/// Cuts of one run.
const CUTS: usize = 25;

/// What was promised at which step of the disk.
#[derive(Debug, Default)]
struct Promises {
    /// So many batches were handed in from this step on.
    handed_in: Vec<(usize, u64)>,
    /// So many were answered.
    answered: Vec<(usize, u64)>,
}

fn by(step: usize, list: &[(usize, u64)]) -> u64 {
    list.iter().rev().find(|(since, _)| *since <= step).map_or(0, |(_, number)| *number)
}

fn writes(ledger: Ledger, number: u64) -> Vec<Write> {
    let write = |row| match row {
        RowWrite::Put { key, value } => Write::Put { key: key::beside(&key), value },
        RowWrite::Delete { key } => Write::Delete { key: key::beside(&key) },
    };
    ledger.rows(number).into_iter().map(write).collect()
}

/// Commits groups of batches from `first` on, and says what was promised when.
async fn write(
    kv: &dyn Kv,
    platter: &Platter,
    ledger: Ledger,
    (first, groups): (u64, u64),
    random: &mut StdRng,
) -> Result<Promises, String> {
    let mut promises = Promises::default();
    let epoch = kv.campaign().await.map_err(|error| error.to_string())?;
    let mut next = first;
    for _ in 0..groups {
        let until = next + random.random_range(1..=6);
        promises.handed_in.push((platter.steps(), until - 1));
        let batches = (next..until).map(|number| writes(ledger, number)).collect();
        let revision = kv.commit(epoch, batches).await.map_err(|error| error.to_string())?;
        promises.answered.push((platter.steps(), until - 1));
        next = until;
        if revision != until - 1 {
            return Err(format!("revision {revision} after {} batches", until - 1));
        }
    }
    Ok(promises)
}

async fn rows(kv: &dyn Kv) -> Result<Rows, String> {
    let range = Range { prefix: key::BESIDE.to_vec(), limit: usize::MAX, ..Range::default() };
    let pairs = kv.range(range).await.map_err(|error| error.to_string())?;
    Ok(pairs.into_iter().map(|(key, value)| (key::without_kind(&key), value)).collect())
}

fn open(platter: &Platter) -> Result<RedbKv, String> {
    RedbKv::on_backend(platter.clone()).map_err(|error| format!("it does not open: {error}"))
}

/// One run, and the power cut at many of its moments.
async fn cut_at_random(platter: Platter, seed: u64) -> Result<(), String> {
    let (mut random, ledger) = (StdRng::seed_from_u64(seed), Ledger { seed });
    let kv = open(&platter)?;
    // Before this the file does not have its name yet.
    let made = platter.steps();
    let promises = write(&kv, &platter, ledger, (1, 30), &mut random).await?;
    // Closing writes too.
    drop(kv);
    for _ in 0..CUTS {
        let at = random.random_range(made..=platter.steps());
        let bytes = platter.cut(at, &mut random);
        let bounds = (by(at, &promises.answered), by(at, &promises.handed_in));
        recover(ledger, bytes, bounds, &mut random)
            .await
            .map_err(|why| format!("power cut at step {at}: {why}"))?;
    }
    Ok(())
}

/// Opens what is left, writes on, and cuts the power of that once more.
async fn recover(
    ledger: Ledger,
    bytes: Vec<u8>,
    (answered, handed_in): (u64, u64),
    random: &mut StdRng,
) -> Result<(), String> {
    let platter = Platter::holding(bytes);
    let kv = open(&platter)?;
    let number = ledger.judge(&rows(&kv).await?, answered, handed_in)?;
    let more = write(&kv, &platter, ledger, (number + 1, 3), random).await?;
    drop(kv);
    let at = random.random_range(0..=platter.steps());
    let bytes = platter.cut(at, random);
    // What recovery has shown once is there for good.
    let bounds = (by(at, &more.answered).max(number), by(at, &more.handed_in).max(number));
    let again = open(&Platter::holding(bytes))?;
    ledger
        .judge(&rows(&again).await?, bounds.0, bounds.1)
        .map(drop)
        .map_err(|why| format!("and at step {at} of the recovery: {why}"))
}

#[test]
fn a_power_cut_loses_no_answered_batch_and_tears_none() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for_each_seed(10, 1_000, |seed| runtime.block_on(cut_at_random(Platter::default(), seed)));
}

/// The judge itself: what must not pass does not.
#[test]
fn a_batch_that_is_lost_or_torn_is_noticed() {
    let ledger = Ledger { seed: 7 };
    let whole = ledger.after(20);
    assert_eq!(ledger.judge(&whole, 20, 20), Ok(20));
    assert_eq!(ledger.judge(&whole, 15, 25), Ok(20));
    assert!(ledger.judge(&whole, 21, 25).is_err(), "an answered one is lost");
    assert!(ledger.judge(&whole, 15, 19).is_err(), "one comes from nowhere");
    for key in whole.keys().filter(|key| key.as_slice() != LAST) {
        let mut torn = whole.clone();
        torn.remove(key);
        assert!(ledger.judge(&torn, 15, 25).is_err(), "{}", String::from_utf8_lossy(key));
    }
}

/// The disk itself: one that keeps nothing for sure is noticed.
#[test]
fn a_disk_that_lies_about_its_syncs_loses_batches() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(cut_at_random(Platter::lying(), 0)).is_err());
}
