//! Which processes of Berth there are.

use std::fmt;

/// What a process of Berth is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RoleKind {
    /// `berth server`.
    Server,
    /// `berth agent`.
    Agent,
    /// `berth router`.
    Router,
    /// `berth up`, which supervises the others.
    Supervisor,
}

impl RoleKind {
    /// What `berth up` supervises, in the order in which it starts them.
    pub const SUPERVISED: [Self; 3] = [Self::Server, Self::Agent, Self::Router];

    /// Its name: the command, and the stem of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Agent => "agent",
            Self::Router => "router",
            Self::Supervisor => "up",
        }
    }
}

impl fmt::Display for RoleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
