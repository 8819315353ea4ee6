//! Picks a role and wires it.
fn main() {}
