//! Sends HTTP requests by host and path to the targets of target groups.
//!
//! A router has no opinion of its own on what should be: it serves from the table that the control plane sends, keeps
//! the last one on disk and goes on with it alone. What it alone knows, the health of targets and what is in flight, it
//! reports. No request ever enters a target that drains, and nothing is said to be drained before the copy on disk
//! agrees: a router that starts again knows no more than its disk.
//!
//! Deciding is pure and knows no pingora: `table` finds a rule, `standing` judges a target, `group` picks one.
//! pingora is in `listen` and `proxy` only.

mod address;
mod group;
mod health;
mod keep;
mod listen;
mod matcher;
mod pages;
mod proxy;
mod report;
mod request_id;
mod routes;
mod run;
mod serve;
mod standing;
mod table;
mod target;

pub use run::{Config, Error, run};

#[cfg(test)]
mod tests;
