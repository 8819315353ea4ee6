//! What the scheduler promises.

mod deploying;
mod placing;
mod serving;
mod simulation;
mod stopping;
mod world;
