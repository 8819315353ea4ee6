//! Sends HTTP requests by host and path to the targets of target groups.
//!
//! A router decides nothing about what should run: it serves from the table that the server sends, keeps the last one on
//! disk and goes on with it when the server is away. It reports what only it can observe: the health of targets and the
//! requests in flight. No request is sent to a target that drains, and a target is reported as drained only once the
//! table on disk agrees, since a router that restarts begins with that table.
//!
//! Deciding is pure and independent of pingora: `table` finds a rule, `health_state` holds a target's health, `group`
//! picks a target. pingora is in `listen` and `proxy` only.

mod address;
mod deadline;
mod forwarded;
mod generation;
mod group;
mod health;
mod health_state;
mod lean;
mod listen;
mod matcher;
mod pages;
mod proxy;
mod report;
mod request_id;
mod routes;
mod run;
mod sentence;
mod serve;
mod table;
mod table_cache;
mod target;

pub use generation::Generation;
pub use run::{Config, Error, run};

#[cfg(test)]
mod tests;
