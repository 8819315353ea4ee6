//! File, environment and flags, checked into one Config.
