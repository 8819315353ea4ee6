//! Both ends against each other, over real sockets and real TLS. What is behind the server is a small store in memory.

mod faults;
mod joining;
mod streaming;
mod version_1;
mod views;
mod world;
