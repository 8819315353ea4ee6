//! What the API promises.
