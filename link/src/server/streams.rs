//! Bytes that an agent sends on a connection of its own: the server asks on the stream, the agent answers by a POST, and
//! the two meet here by a random id. Neither waits for the other without an end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use model::InstanceId;
use tokio::sync::{mpsc, oneshot};

use crate::message::{Stream, StreamRequest};
use crate::sentence;

/// How long an agent has to dial.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How many chunks of bytes may wait for a slow reader; then the agent waits.
const CHUNKS: usize = 16;
/// How many requests may wait for a connection to take them down.
const REQUESTS: usize = 16;

/// Opens streams to connected agents. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    pending: Arc<Mutex<Pending>>,
}

#[derive(Debug, Default)]
struct Pending {
    agents: HashMap<InstanceId, mpsc::Sender<StreamRequest>>,
    awaited: HashMap<String, Awaited>,
}

#[derive(Debug)]
struct Awaited {
    instance: InstanceId,
    opened: oneshot::Sender<mpsc::Receiver<Bytes>>,
}

/// Why a stream does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The agent is not connected.
    #[error("{}", sentence::agent_not_connected(*.0))]
    NotConnected(InstanceId),
    /// The agent has too many requests waiting.
    #[error("{}", sentence::agent_busy(*.0))]
    Busy(InstanceId),
    /// The agent did not answer in time.
    #[error("{}", sentence::agent_late(*.0))]
    NoAnswer(InstanceId),
}

impl Streams {
    /// Asks the agent of `instance` for bytes; yields them as they come. They end when the agent ends them or is gone;
    /// dropping the receiver ends the agent's request.
    pub async fn open(
        &self,
        instance: InstanceId,
        stream: Stream,
    ) -> Result<mpsc::Receiver<Bytes>, StreamError> {
        let id = hex::encode(rand::random::<[u8; 32]>());
        let (opened, dialled) = oneshot::channel();
        {
            let mut pending = self.pending();
            let agent = pending.agents.get(&instance).ok_or(StreamError::NotConnected(instance))?;
            let asked = agent.try_send(StreamRequest { id: id.clone(), stream });
            asked.map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => StreamError::Busy(instance),
                mpsc::error::TrySendError::Closed(_) => StreamError::NotConnected(instance),
            })?;
            pending.awaited.insert(id.clone(), Awaited { instance, opened });
        }
        let _forget = Forget { streams: self, id };
        match tokio::time::timeout(DIAL_TIMEOUT, dialled).await {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(_)) | Err(_) => Err(StreamError::NoAnswer(instance)),
        }
    }

    /// An agent has connected; the receiver yields what is requested of it.
    pub(super) fn attach(&self, instance: InstanceId) -> mpsc::Receiver<StreamRequest> {
        let (sender, receiver) = mpsc::channel(REQUESTS);
        self.pending().agents.insert(instance, sender);
        receiver
    }

    /// The agent is gone, unless it came back on another connection.
    pub(super) fn detach(&self, instance: InstanceId) {
        let mut pending = self.pending();
        if pending.agents.get(&instance).is_some_and(mpsc::Sender::is_closed) {
            pending.agents.remove(&instance);
        }
    }

    /// The agent has dialled. None when that stream of it is not awaited.
    pub(super) fn claim(&self, id: &str, instance: InstanceId) -> Option<mpsc::Sender<Bytes>> {
        let mut pending = self.pending();
        if pending.awaited.get(id)?.instance != instance {
            return None;
        }
        let awaited = pending.awaited.remove(id)?;
        let (sender, receiver) = mpsc::channel(CHUNKS);
        awaited.opened.send(receiver).ok()?;
        Some(sender)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops a stream's entry, however the waiting for it ended.
struct Forget<'a> {
    streams: &'a Streams,
    id: String,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.streams.pending().awaited.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use model::{TaskId, Timestamp};

    use super::*;

    fn instance(n: u8) -> InstanceId {
        InstanceId::new(Timestamp::EPOCH, [n; 10])
    }

    fn logs() -> Stream {
        let task = TaskId::new(Timestamp::EPOCH, [9; 10]);
        Stream::Logs { task, container: None, follow: true, tail: None }
    }

    #[tokio::test]
    async fn bytes_reach_who_asked_for_them() {
        let streams = Streams::default();
        let mut asked = streams.attach(instance(1));
        let agent = async {
            let request = asked.recv().await.unwrap();
            assert_eq!(streams.claim(&request.id, instance(2)).map(drop), None, "not its stream");
            let sender = streams.claim(&request.id, instance(1)).unwrap();
            assert_eq!(streams.claim(&request.id, instance(1)).map(drop), None, "only once");
            sender.send(Bytes::from_static(b"line")).await.unwrap();
        };
        let (opened, ()) = tokio::join!(streams.open(instance(1), logs()), agent);
        let mut bytes = opened.unwrap();
        assert_eq!(bytes.recv().await.unwrap(), "line");
        assert_eq!(bytes.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_does_not_dial_is_not_awaited_for_ever() {
        let streams = Streams::default();
        assert_eq!(
            streams.open(instance(1), logs()).await.unwrap_err(),
            StreamError::NotConnected(instance(1))
        );
        let mut asked = streams.attach(instance(1));
        assert_eq!(
            streams.open(instance(1), logs()).await.unwrap_err(),
            StreamError::NoAnswer(instance(1))
        );
        let late = asked.recv().await.unwrap();
        assert!(streams.claim(&late.id, instance(1)).is_none(), "it comes too late");
        drop(asked);
        streams.detach(instance(1));
        assert!(streams.pending().agents.is_empty());
    }
}
