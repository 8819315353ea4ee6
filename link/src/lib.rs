//! Both ends of the one stream between the server and its agents and routers.
//!
//! Down goes desired state and never a command, up go observations and never a request. Peers dial the server, so hosts
//! behind NAT work, and both sides prove themselves with certificates of Berth's own authority. Either end may die at
//! any moment: the next connection brings a whole view down and a whole report up, by the same code as the first.
//!
//! [`client`] is the end of agents and routers, [`server`] the other one; [`message`] is what travels between them, and
//! [`v1`] how the version before wrote views.

pub mod authority;
mod certificate;
pub mod client;
pub mod host;
pub mod message;
mod refusal;
mod sentence;
pub mod server;
mod snapshot;
mod tls;
pub mod token;
pub mod v1;

pub use authority::{Authority, AuthorityError};
pub use certificate::PeerId;
pub use refusal::RefusalCode;

#[cfg(test)]
mod tests;
