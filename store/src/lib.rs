//! Durable truth: the KV seam, one writer, group commit and a revisioned watch.
