//! What an operator may tune, with defaults that suit one host as well as many.

use std::ops::RangeInclusive;
use std::time::Duration;

use model::LeaseTimes;

/// How patient the scheduler is, and what it gives out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the silence of a peer means.
    pub lease: LeaseTimes,
    /// Host ports for mappings that leave the choice to the scheduler.
    pub port_range: RangeInclusive<u16>,
    /// How long a task without a health check must run to count as healthy. ECS takes 40 seconds; a worker that fails does
    /// so sooner.
    pub steady_after: Duration,
    /// How long a new task may take to pass its first check, beyond its grace period and the checks themselves.
    pub start_allowance: Duration,
    /// How long a new task may take to answer at all, beyond its grace period: one that answers wrongly has less.
    pub start_timeout: Duration,
    /// How long the loss of most instances at once is taken for the scheduler's own trouble.
    pub mass_loss_hold: Duration,
    /// The longest time between two plans.
    pub tick: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: LeaseTimes::default(),
            port_range: 20_000..=32_000,
            steady_after: Duration::from_secs(10),
            start_allowance: Duration::from_secs(10),
            start_timeout: Duration::from_mins(2),
            mass_loss_hold: Duration::from_mins(5),
            tick: Duration::from_secs(5),
        }
    }
}
