//! What can be done with an installation, between State and whoever asks: each operation once, as a pure decision, and one
//! way to a commit.
//!
//! A [`Request`] names its row in the table of operations, says what it is about, and decides on snapshots, time and
//! randomness that are given to it. [`Control`] authorises it, has the writer authorise it once more on the State that its
//! batch meets, commits it together with who asked for it, and forms the answer from what was committed. So a right that
//! ends while a request is under way ends the request, and no change is made that nobody is known to have asked for.
//!
//! Nothing here knows a runtime, HTTP or the store: the server around it is a [`Backend`].

mod audit;
mod caller;
mod context;
mod control;
pub mod operation;
mod refused;
mod request;
mod sentence;

pub use caller::{Caller, Permission, request_id};
pub use context::{Context, Past, Setup, View};
pub use control::{Backend, Control, Write};
pub use operation::Operation;
pub use refused::Refused;
pub use request::{Decision, Request, decide};

#[cfg(test)]
mod tests;
