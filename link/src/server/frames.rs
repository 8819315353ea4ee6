//! Frames over a peer's WebSocket.

use std::error::Error as _;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::close::CloseReason;
use crate::message::{Down, SEND_TIMEOUT, Up};

/// Where frames go down.
pub(super) type Sink = SplitSink<WebSocket, Message>;
/// Where frames come up.
pub(super) type Source = SplitStream<WebSocket>;

/// Sends a frame.
pub(super) async fn send(sink: &mut Sink, frame: &Down) -> Result<(), CloseReason> {
    let text = serde_json::to_string(frame).map_err(CloseReason::View)?;
    match timeout(SEND_TIMEOUT, sink.send(Message::Text(text.into()))).await {
        Ok(sent) => sent.map_err(CloseReason::Broken),
        Err(_) => Err(CloseReason::Silent),
    }
}

/// The next frame, once there is one.
pub(super) async fn next<R: DeserializeOwned>(source: &mut Source) -> Result<Up<R>, CloseReason> {
    loop {
        match source.next().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(CloseReason::Frame);
            }
            Some(Ok(Message::Close(_))) | None => return Err(CloseReason::Gone),
            Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
            Some(Err(error)) if is_too_long(&error) => {
                return Err(CloseReason::FrameTooLong(error));
            }
            Some(Err(error)) => return Err(CloseReason::Broken(error)),
        }
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    matches!(source, Some(tungstenite::Error::Capacity(_)))
}
