//! What the registry promises, asked of its router as clients ask.

mod abuse;
mod auth;
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
