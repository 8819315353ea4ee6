//! What tests on real processes and real Docker need: installations of their own, commands against them, requests through
//! their routers, and waiting for states.

mod berth;
mod containers;
pub(crate) mod docker;
pub(crate) mod fixture;
pub(crate) mod http;
pub(crate) mod load;
mod process;
mod said;
mod server;
pub(crate) mod wait;

pub(crate) use berth::Berth;
pub(crate) use process::kill;
pub(crate) use said::holds;
pub(crate) use server::Server;
pub(crate) use wait::{now, until, until_within};
