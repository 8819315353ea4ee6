//! Where commands go, and as whom.

use std::path::PathBuf;

/// Where the admin API is and who asks; found by the configuration, or said by flags and environment.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The admin API's address, as in `http://127.0.0.1:7070`.
    pub url: String,
    /// A token; empty where there is none.
    pub token: String,
    /// Where the token came from.
    pub origin: TokenOrigin,
}

/// Where a token came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenOrigin {
    /// Flag, environment or configuration.
    Said,
    /// This file of the data directory.
    File(PathBuf),
    /// There is none: this file of the data directory does not exist.
    Missing(PathBuf),
}
