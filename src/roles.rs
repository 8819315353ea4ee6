//! The processes that do the work. Each of these files wires one.

pub(crate) mod agent;
mod link_failure;
pub(crate) mod router;
pub(crate) mod server;
