//! What comes before HTTP on a connection.

use std::future::Future;

use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// What happens to an accepted connection before HTTP is spoken on it.
pub trait Prepare: Clone + Send + Sync + 'static {
    /// What HTTP is spoken on.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// That, and what each request on it carries; None where the client is not let through.
    fn prepare(
        &self,
        socket: TcpStream,
    ) -> impl Future<Output = Option<(Self::Stream, Extensions)>> + Send;
}

/// No preparation: HTTP as it comes.
#[derive(Debug, Clone, Copy)]
pub struct Plain;

impl Prepare for Plain {
    type Stream = TcpStream;

    async fn prepare(&self, socket: TcpStream) -> Option<(TcpStream, Extensions)> {
        Some((socket, Extensions::new()))
    }
}
