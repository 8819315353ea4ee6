//! State as rows. It rebuilds from its rows alone; whatever can be derived is not in them.

use super::State;
use crate::id::StateRevision;
use crate::row::RowError;

impl State {
    /// State from its rows, at the revision that the store has committed. Rows of every schema are read, so that a store
    /// may hold some of each.
    pub fn from_rows<'a>(
        revision: StateRevision,
        rows: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, RowError> {
        let mut state = Self { revision, ..Self::default() };
        for (key, value) in rows {
            state.load(key, value)?;
        }
        Ok(state)
    }
}
