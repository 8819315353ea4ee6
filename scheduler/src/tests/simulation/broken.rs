//! What must never break, by name.

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Invariant {
    /// What is planned does something, and nothing refuses it unless somebody else was faster.
    Effect,
    /// No healthy task is stopped when too few are left.
    Minimum,
    /// There are never too many tasks.
    Maximum,
    /// A task counts as healthy once every connected router says so.
    HealthyByAll,
    /// A task is stopped once every router is done with it.
    Drained,
    /// An address is given out once nobody sends there any more.
    Address,
    /// No host port is given out twice.
    Port,
    /// A task goes where one may go, and no more than fit.
    Placement,
    /// What was pushed is tried once.
    TriedOnce,
    /// What serves can be reached, and something always can.
    Reached,
    /// What counts as complete is there and healthy.
    Complete,
    /// Once nothing more happens, what is wanted is there within a bounded time.
    Healed,
    /// What was removed goes, with all that it had.
    Gone,
    /// State is its rows, and nothing more.
    Rows,
}

/// One of them does not hold.
pub(super) struct Broken {
    pub(super) invariant: Invariant,
    pub(super) detail: String,
}

/// Ends the run where it does not hold.
pub(super) fn must(holds: bool, invariant: Invariant, detail: impl FnOnce() -> String) {
    if !holds {
        std::panic::resume_unwind(Box::new(Broken { invariant, detail: detail() }));
    }
}
