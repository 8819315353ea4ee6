//! What clients may take of a listener.

use std::time::Duration;

/// What clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one address.
    pub per_address: usize,
    /// How long a head may take, from the end of the request before.
    pub head: Duration,
    /// How long nothing may come of a body.
    pub silence: Duration,
    /// How long connections may go on after shutdown.
    pub end: Duration,
}

impl Limits {
    /// Those of a listener that is for people and programs on this host.
    pub const DEFAULT: Self = Self {
        connections: 2_048,
        per_address: 512,
        // Longer than the 30 s for which our own clients keep idle connections: so it is they who close them, and no
        // request is lost.
        head: Duration::from_mins(1),
        // Longer than the minute after which the registry gives an answer of its own.
        silence: Duration::from_secs(75),
        end: Duration::from_secs(3),
    };
}
