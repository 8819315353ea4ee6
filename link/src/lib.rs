//! Both ends of the one stream between the server and its agents and routers.

pub mod message;
