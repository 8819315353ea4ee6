//! `berth up` and `berth down`, and what every role process has in common with them: its place in the data directory, the
//! addresses that it publishes, a control socket, an end that is asked for and orderly.
//!
//! The supervisor starts the roles as processes and is needed by none of them: killed, it leaves everything running.

mod clock;
mod control;
pub mod down;
pub mod endpoints;
mod failure;
mod layout;
pub mod local_api;
pub mod role;
pub mod up;

pub use clock::{Stopwatch, SystemClock};
pub use endpoints::Endpoints;
pub use failure::Failure;
pub use layout::{Layout, Part};
pub use role::Role;
