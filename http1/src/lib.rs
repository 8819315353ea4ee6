//! HTTP/1.1 messages as bytes (RFC 9112): where each ends, read strictly, without I/O. What two programs could read in two ways
//! is an error, so that nothing can be smuggled inside a message.

mod chunks;
mod field;
mod response;

pub use chunks::{ChunkError, Chunks};
pub use field::Hop;
pub use response::{Framing, ResponseError, ResponseHead};
