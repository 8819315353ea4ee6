//! The processes that do the work. Each of these files wires one.

pub(crate) mod agent;
mod link_failure;
mod listen;
pub(crate) mod router;
pub(crate) mod server;
