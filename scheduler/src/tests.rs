//! What the scheduler promises.

mod deploying;
mod placing;
mod serving;
mod stopping;
mod world;
