//! `berth up` and `berth down`, and what every role process has in common with them: its place in the data directory, the
//! addresses that it publishes, a control socket, an end that is asked for and orderly.
//!
//! The supervisor starts the roles as processes and is needed by none of them: killed, it leaves everything running.

mod background;
mod clock;
mod control_socket;
pub mod down;
pub mod endpoints;
mod error;
mod failure;
pub mod install;
mod join_token;
mod layout;
pub mod listen;
mod listeners;
pub mod local_api;
mod log_file;
mod process;
mod reload;
pub mod role;
mod role_command;
mod role_kind;
mod role_supervisor;
mod sentences;
mod succession;
mod summary;
mod supervisor;
mod systemd;
pub mod up;

pub use clock::{Stopwatch, SystemClock};
pub use endpoints::Endpoints;
pub use error::{ListenError, RoleError, Step};
pub use failure::{FailureKind, RoleFailure};
pub use layout::Layout;
pub use listeners::Listeners;
pub use log_file::LogFile;
pub use role::Role;
pub use role_kind::RoleKind;
pub use succession::Succession;
