//! What a plan is made from. It stays as it is while the plan is made.

use model::{Observed, State, Timestamp};

use crate::settings::Settings;

/// The arguments of a plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    /// State as it was read, before any proposal.
    pub(crate) state: &'a State,
    /// What peers report.
    pub(crate) observed: &'a Observed,
    /// When it is planned.
    pub(crate) now: Timestamp,
    /// What an operator may tune.
    pub(crate) settings: &'a Settings,
}
