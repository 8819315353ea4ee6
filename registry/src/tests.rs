//! What the registry promises, asked of its router as clients ask.

mod abuse;
mod audit;
mod auth;
mod backend;
mod blobs;
mod deletes;
mod faults;
mod lists;
mod manifests;
mod mounts;
mod order;
mod peer;
mod referrers;
mod uploads;
mod world;
