//! What was answered as committed survives every way to end: the power goes, the process is killed, the disk fails.
//!
//! Each test writes batches that follow from a seed and a number alone, so that what must be there after the first n of
//! them is known without having been there. Failing seeds are printed; `BERTH_TEST_SEED` replays one alone, and
//! `BERTH_TEST_FULL=1` runs the full counts.

use std::collections::BTreeMap;

use model::{Batch, Change, RepositoryChange, RowWrite, StateRevision};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::Store;
use crate::tests::world::{at, create_repository, tag};

mod fault;
mod kill;
mod platter;
mod power;
mod upgrade;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// The row that holds the number of the last batch.
const LAST: &[u8] = b"last";

#[expect(clippy::disallowed_methods, reason = "the size of a test run is not configuration")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs the test for each seed of its share, or for the one that is asked for.
fn for_each_seed(share: u64, full: u64, test: impl Fn(u64) -> Result<(), String>) {
    let seeds = match variable("BERTH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None if variable("BERTH_TEST_FULL").is_some() => 0..full,
        None => 0..share,
    };
    for seed in seeds {
        if let Err(why) = test(seed) {
            panic!("seed {seed}: {why}\nBERTH_TEST_SEED={seed} replays it");
        }
    }
}

/// Batches by number, from 1.
#[derive(Debug, Clone, Copy)]
struct Ledger {
    seed: u64,
}

impl Ledger {
    /// The rows of a batch: its number, a row that many batches set, one of its own, and now and then the end of an
    /// older one or a value of many pages.
    fn rows(self, number: u64) -> Vec<RowWrite> {
        let mut random = StdRng::seed_from_u64(self.seed << 32 | number);
        let mut put = |key: String, most: usize| {
            let mut value = vec![0; random.random_range(0..most)];
            random.fill(&mut value[..]);
            RowWrite::Put { key: key.into_bytes(), value }
        };
        let own = put(format!("own/{number:08}"), 300);
        let shared = put(format!("shared/{}", number % 7), 3_000);
        let many_pages = number.is_multiple_of(9).then(|| put("many pages".to_owned(), 60_000));
        let last = RowWrite::Put { key: LAST.to_vec(), value: number.to_be_bytes().to_vec() };
        let older = random.random_range(0..number);
        let end = RowWrite::Delete { key: format!("own/{older:08}").into_bytes() };
        [last, own, shared, end].into_iter().chain(many_pages).collect()
    }

    /// The same as a batch for the store, which moves a tag too.
    fn batch(self, number: u64) -> Batch {
        let moved = Change::from(RepositoryChange::PutTag(pushed(number)));
        let changes = vec![create_repository("hello"), moved];
        Batch { rows: self.rows(number), ..Batch::of(changes, at(1)) }
    }

    /// Every row after the first batches.
    fn after(self, number: u64) -> Rows {
        let mut all = Rows::new();
        for write in (1..=number).flat_map(|number| self.rows(number)) {
            match write {
                RowWrite::Put { key, value } => drop(all.insert(key, value)),
                RowWrite::Delete { key } => drop(all.remove(&key)),
            }
        }
        all
    }

    /// How many batches are there: all that were answered, none that was not handed in, each wholly or not at all, and
    /// none before one that is missing.
    fn judge(self, found: &Rows, answered: u64, handed_in: u64) -> Result<u64, String> {
        let last = found.get(LAST).and_then(|value| value.as_slice().try_into().ok());
        let number = last.map_or(0, u64::from_be_bytes);
        if !(answered..=handed_in).contains(&number) {
            let of = format!("of {answered} answered and {handed_in} handed in");
            return Err(format!("{number} batches are there, {of}"));
        }
        let expected = self.after(number);
        let keys = found.keys().chain(expected.keys());
        match keys.into_iter().find(|key| found.get(*key) != expected.get(*key)) {
            None => Ok(number),
            Some(key) => Err(format!(
                "row `{}` is not as the first {number} batches leave it",
                String::from_utf8_lossy(key)
            )),
        }
    }

    /// The same for a store, with its State.
    async fn judge_store(
        self,
        store: &Store,
        answered: u64,
        handed_in: u64,
    ) -> Result<u64, String> {
        let rows = store.range(b"", None, usize::MAX).await.map_err(|error| error.to_string())?;
        let number = self.judge(&rows.into_iter().collect(), answered, handed_in)?;
        let state = store.state();
        let (wanted, revision) = (pushed(number), state.revision());
        let found = state.tag(&wanted.repository, &wanted.name);
        if revision != StateRevision(number) || found != Some(&wanted).filter(|_| number > 0) {
            return Err(format!(
                "State at {revision:?} is not that of {number} batches: {found:?}"
            ));
        }
        Ok(number)
    }
}

fn pushed(number: u64) -> model::Tag {
    model::Tag { size_bytes: number, ..tag("hello", 1) }
}
