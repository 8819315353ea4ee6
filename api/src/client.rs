//! An HTTP client of the API: one method per operation, typed answers, and errors by code.

mod error;
mod http;
mod operations;
mod walk;

pub use self::error::{CallError, Refused};
pub use self::http::{Client, Logs, Tagged};
pub use self::walk::{all, some};
