//! What waits after a Change about it was refused: that, and nothing else of a plan.

use std::collections::HashMap;
use std::time::Duration;

use model::{Backoff, Change, RowKey, State, Timestamp};

/// The pauses after refusals in a row.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

/// What was refused, and until when it waits.
#[derive(Debug, Default)]
pub(super) struct RefusedItems(HashMap<RowKey, Waiting>);

#[derive(Debug)]
struct Waiting {
    backoff: Backoff,
    until: Timestamp,
}

impl RefusedItems {
    /// A group was refused that was planned on this state. False where it cannot be told what it is about.
    pub(super) fn note(
        &mut self,
        state: &State,
        group: &[Change],
        now: Timestamp,
        random: u64,
    ) -> bool {
        let Some(item) = item(state, group, now) else { return false };
        let waiting = self.0.entry(item);
        let waiting = waiting.or_insert_with(|| Waiting { backoff: PAUSES, until: now });
        waiting.until = now.plus(waiting.backoff.fail(random));
        true
    }

    /// Takes out of the batches what has to wait; gives when the first of that need not any more.
    pub(super) fn hold_back(
        &mut self,
        state: &State,
        batches: &mut Vec<Vec<Vec<Change>>>,
        now: Timestamp,
    ) -> Option<Timestamp> {
        // What was not refused again for as long as the longest pause begins anew.
        self.0.retain(|_, waiting| now < waiting.until.plus(PAUSES.longest()));
        if self.0.is_empty() {
            return None;
        }
        let mut first: Option<Timestamp> = None;
        let mut may_go = |group: &Vec<Change>| {
            let waiting = item(state, group, now).and_then(|item| self.0.get(&item));
            let until = waiting.map(|waiting| waiting.until).filter(|until| now < *until);
            first = first.into_iter().chain(until).min();
            until.is_none()
        };
        for batch in batches.iter_mut() {
            batch.retain(&mut may_go);
        }
        batches.retain(|batch| !batch.is_empty());
        first
    }
}

/// What a group is about: the service of what it touches, else a task, else whatever it touches first.
fn item(state: &State, group: &[Change], now: Timestamp) -> Option<RowKey> {
    let mut after = state.clone();
    let touched = after.apply_all(group, now).ok()?;
    let about = |row: RowKey| {
        let service = if let RowKey::Task(id) = &row {
            after.task(*id).and_then(|task| task.service)
        } else if let RowKey::Deployment(id) = &row {
            after.deployment(*id).map(|deployment| deployment.service)
        } else {
            None
        };
        service.map_or(row, RowKey::Service)
    };
    let rank = |row: &RowKey| {
        if matches!(row, RowKey::Service(_)) {
            0
        } else if matches!(row, RowKey::Task(_)) {
            1
        } else {
            2
        }
    };
    touched.rows.into_iter().map(about).min_by_key(rank)
}
