//! A disk that fails: the caller hears of it, the store writes no more, and what was answered is there afterwards.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::platter::{Fault, Platter};
use super::{Ledger, variable};
use crate::kv::redb::RedbKv;
use crate::{CommitError, HistoryLimits, Store};

/// Batches of one run.
const BATCHES: u64 = 12;

fn open(platter: &Platter) -> Result<Store, String> {
    let kv = RedbKv::on_backend(platter.clone()).map_err(|error| error.to_string())?;
    Store::on(std::sync::Arc::new(kv), "test", HistoryLimits::default())
        .map_err(|error| error.to_string())
}

/// Writes until the disk fails; how many batches were answered.
async fn write(store: &Store, ledger: Ledger) -> Result<u64, String> {
    for number in 1..=BATCHES {
        match store.commit(ledger.batch(number)).await {
            Ok(state) if state.revision().0 == number => {}
            Ok(state) => {
                let revision = state.revision();
                return Err(format!("batch {number} was answered with {revision:?}"));
            }
            Err(CommitError::Unavailable(_)) => {
                let later = store.commit(ledger.batch(number)).await;
                if !matches!(later, Err(CommitError::Unavailable(_))) {
                    return Err(format!("a write after the failure was answered with {later:?}"));
                }
                if store.failed().await.is_empty() {
                    return Err("the store does not say why it cannot write".to_owned());
                }
                let published = store.state().revision().0;
                let answered = number - 1;
                return if published == answered {
                    Ok(answered)
                } else {
                    Err(format!("revision {published} is published after {answered} answers"))
                };
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(BATCHES)
}

/// One run on a disk that fails; false when it was over before the disk's turn to fail.
async fn one(fault: Fault) -> Result<bool, String> {
    let ledger = Ledger { seed: fault.call as u64 };
    let platter = Platter::failing(fault);
    let (mut answered, mut handed_in) = (0, 0);
    // A store that does not open has answered nothing.
    if let Ok(store) = open(&platter) {
        answered = write(&store, ledger).await?;
        handed_in = (answered + 1).min(BATCHES);
        store.close().await;
    } else if !platter.has_failed() {
        return Err("it does not open on a disk that works".to_owned());
    }
    let mut random = StdRng::seed_from_u64(ledger.seed);
    let power_too = platter.cut(platter.steps(), &mut random);
    for bytes in [platter.bytes(), power_too] {
        match open(&Platter::holding(bytes)) {
            Ok(store) => {
                ledger.judge_store(&store, answered, handed_in).await?;
                store.close().await;
            }
            // A file that was not finished never gets its name.
            Err(_) if handed_in == 0 => {}
            Err(error) => return Err(format!("it does not open again: {error}")),
        }
    }
    Ok(platter.has_failed())
}

#[test]
fn a_disk_that_fails_at_any_write_or_sync_loses_no_answered_batch() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let step = if variable("BERTH_TEST_FULL").is_some() { 1 } else { 3 };
    let mut failures = 0;
    for call in (1..).step_by(step) {
        for lasts in [false, true] {
            let fault = Fault { call, lasts };
            match runtime.block_on(one(fault)) {
                Ok(true) => failures += 1,
                Ok(false) if failures > 50 => return,
                Ok(false) => panic!("only {failures} runs met the failure"),
                Err(why) => panic!("{fault:?}: {why}"),
            }
        }
    }
}
