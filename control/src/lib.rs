//! What can be done with an installation, between State and whoever asks: each operation once, with what it takes.

pub mod operation;

pub use operation::Operation;

#[cfg(test)]
mod tests;
