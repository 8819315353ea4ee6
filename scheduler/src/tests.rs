//! What the scheduler promises.

mod deploying;
mod describe;
mod placing;
mod revising;
mod serving;
mod simulation;
mod stopping;
mod world;
