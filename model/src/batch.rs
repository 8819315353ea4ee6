//! What is handed to the store to be true at once or not at all, and why it may not become true.

use std::fmt;
use std::sync::Arc;

use crate::access::Principal;
use crate::change::Change;
use crate::history::History;
use crate::refusal::Refusal;
use crate::state::State;
use crate::time::Timestamp;

/// What a caller wants to be true at once, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// When it was decided.
    pub at: Timestamp,
    /// Changes of State, in order.
    pub changes: Vec<Change>,
    /// What is to be remembered of it beside what its changes record themselves: who asked for it.
    pub history: Vec<History>,
    /// Rows beside State.
    pub rows: Vec<RowWrite>,
    /// What must hold of rows beside State for the batch to be applied.
    pub guards: Vec<RowGuard>,
    /// What must hold of State for the batch to be applied.
    pub precondition: Option<Precondition>,
}

impl Batch {
    /// A batch of changes alone.
    pub fn of(changes: Vec<Change>, at: Timestamp) -> Self {
        Self {
            at,
            changes,
            history: Vec::new(),
            rows: Vec::new(),
            guards: Vec::new(),
            precondition: None,
        }
    }
}

/// One row beside State, set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowWrite {
    /// Sets it.
    Put {
        /// Its key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
    },
    /// Removes it.
    Delete {
        /// Its key.
        key: Vec<u8>,
    },
}

/// A condition on one row beside State.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowGuard {
    /// The row is there.
    Present(Vec<u8>),
    /// The row is not there.
    Absent(Vec<u8>),
}

/// What must hold of State as the writer sees it when the batch's turn comes, the batches before it in the same commit
/// included: a right that ends between decision and commit, or an entity that somebody else changed, ends the batch.
#[derive(Clone)]
pub struct Precondition(Arc<Check>);

type Check = dyn Fn(&State) -> Result<(), Unmet> + Send + Sync;

impl Precondition {
    /// One that this function judges.
    pub fn new(check: impl Fn(&State) -> Result<(), Unmet> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Judges it.
    pub fn check(&self, state: &State) -> Result<(), Unmet> {
        (self.0)(state)
    }
}

impl fmt::Debug for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Precondition").finish_non_exhaustive()
    }
}

/// The same one, not one that judges the same.
impl PartialEq for Precondition {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Precondition {}

/// Why a precondition does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// The secret that proved who asks has been revoked or has ended.
    CredentialEnded(Principal),
    /// Who asks may not do it.
    Denied {
        /// Who asks.
        principal: Principal,
        /// For what, as in `service:Update`.
        action: &'static str,
        /// About what, as in `service/default/hello`.
        resource: String,
    },
    /// Somebody has changed it since it was read.
    Modified {
        /// What, as in `service/default/hello`.
        resource: String,
    },
}

/// Why a batch was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A Change does not fit. Nothing of the batch was applied.
    Refused(#[from] Refusal),
    /// Its precondition does not hold. Nothing of the batch was applied.
    Unmet(#[from] Unmet),
    /// A guard does not hold. Nothing of the batch was applied.
    GuardFailed {
        /// The row's key.
        key: Vec<u8>,
    },
    /// The batch touches more than one commit may. Nothing of it was applied.
    TooLarge(&'static str),
    /// The store cannot write. Whether the batch is on disk is known once the store is opened again.
    Unavailable(String),
}
