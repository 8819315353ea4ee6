//! How much one batch may write. The store refuses what is more; whoever has more to write fills several batches.
//!
//! Every storage engine must take a full batch in one transaction, so the bounds stay below those of the strictest engine
//! that is meant to fit: etcd takes 128 operations (`--max-txn-ops`) and 1.5 MiB (`--max-request-bytes`) unless it is told
//! otherwise.

use crate::change::Change;
use crate::history::History;
use crate::state::{State, Touched};

/// Rows that one batch writes at most, each once, the store's own included.
pub const BATCH_ROWS: usize = 100;

/// Bytes of keys and values that one batch writes at most: 1 MiB.
pub const BATCH_BYTES: usize = 1 << 20;

/// Rows that go into a batch which is filled as far as it may be. The rest is for the row of the revision that the store
/// adds, and for what a Change may touch more once it meets a newer State than the one that it was weighed on.
pub const FILL_ROWS: usize = 90;

/// Bytes that go into a batch which is filled as far as it may be. Half of a batch: values are weighed without their keys,
/// and each row on its own may be nearly as large as half a batch.
pub const FILL_BYTES: usize = BATCH_BYTES / 2;

/// Tags that one push sets at most, each a row: half of a batch, since the manifest's own rows are in it too. The
/// distribution specification asks for ten at least.
pub const PUSH_TAGS: usize = BATCH_ROWS / 2;

/// Rows that a row of history takes: itself, and what finds it by service and by task.
const HISTORY_ROWS: usize = 3;

/// How much Changes write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Rows.
    pub rows: usize,
    /// Bytes of their values.
    pub bytes: usize,
}

impl Weight {
    /// What is written when State is as it is now, and this was touched on the way.
    pub fn of(state: &State, touched: &Touched) -> Self {
        let Touched { rows, history } = touched;
        let values =
            rows.iter().filter_map(|key| state.row(key)).chain(history.iter().map(History::row));
        Self {
            rows: rows.len() + HISTORY_ROWS * history.len(),
            bytes: values.map(|value| value.len()).sum(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, bytes: self.bytes + other.bytes }
    }

    fn fits(self) -> bool {
        self.rows <= FILL_ROWS && self.bytes <= FILL_BYTES
    }
}

/// Changes in their order, in batches that each fit one commit.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    /// Each of groups that must share a batch.
    batches: Vec<Vec<Vec<Change>>>,
    last: Weight,
}

impl Batches {
    /// Adds Changes that must share a batch: to the last one where they fit, else to a new one.
    pub fn push(&mut self, changes: Vec<Change>, weight: Weight) {
        let sum = self.last.plus(weight);
        match self.batches.last_mut() {
            Some(batch) if sum.fits() => {
                batch.push(changes);
                self.last = sum;
            }
            _ => {
                self.batches.push(vec![changes]);
                self.last = weight;
            }
        }
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<Vec<Change>> {
        self.batches.into_iter().map(|groups| groups.into_iter().flatten().collect()).collect()
    }

    /// All of them, each as the groups that it was made of: a batch that is refused can be taken apart.
    pub fn into_groups(self) -> Vec<Vec<Vec<Change>>> {
        self.batches
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{RoutingChange, TaskChange};
    use crate::id::{RuleId, TaskId};
    use crate::time::Timestamp;

    fn fill(weights: &[(usize, usize)]) -> Vec<usize> {
        let mut batches = Batches::default();
        for (rows, bytes) in weights {
            let change = RoutingChange::RemoveRule(RuleId::new(Timestamp::EPOCH, [0; 10]));
            batches.push(vec![change.into()], Weight { rows: *rows, bytes: *bytes });
        }
        batches.into_vec().iter().map(Vec::len).collect()
    }

    #[test]
    fn a_batch_is_filled_up_to_its_rows_and_its_bytes() {
        assert_eq!(fill(&[(1, 1); 200]), [90, 90, 20]);
        assert_eq!(fill(&[(1, FILL_BYTES / 4); 9]), [4, 4, 1]);
        assert_eq!(fill(&[(1, FILL_BYTES + 1), (1, 1), (95, 1), (1, 1)]), [1, 1, 1, 1]);
    }

    #[test]
    fn what_must_go_together_shares_a_batch() {
        let change = Change::from(TaskChange::Drained(TaskId::new(Timestamp::EPOCH, [0; 10])));
        let mut batches = Batches::default();
        batches.push(vec![change.clone(); 80], Weight { rows: 80, bytes: 0 });
        batches.push(vec![change.clone(); 20], Weight { rows: 20, bytes: 0 });
        let batches = batches.into_vec();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [80, 20]);
    }

    #[test]
    fn a_filled_batch_leaves_room_for_what_the_store_adds() {
        const { assert!(FILL_ROWS < BATCH_ROWS && FILL_BYTES < BATCH_BYTES) }
    }
}
