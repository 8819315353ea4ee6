//! What the scheduler promises.

mod deploying;
mod placing;
mod serving;
mod shell;
mod simulation;
mod stopping;
mod world;
