//! Logs of running tasks come from their agents, on connections of their own.

use admin::Logs;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use link::message::Stream;
use link::server::Streams;
use model::{ContainerName, InstanceId, TaskId};

/// Asks the agent of the task's instance.
#[derive(Debug, Clone)]
pub(crate) struct FromAgents(pub(crate) Streams);

impl Logs for FromAgents {
    fn open(
        &self,
        instance: InstanceId,
        task: TaskId,
        container: Option<ContainerName>,
        follow: bool,
        tail: Option<u32>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Bytes>, String>> {
        Box::pin(async move {
            let wanted = Stream::Logs { task, container, follow, tail };
            let opened = self.0.open(instance, wanted).await;
            let bytes = opened.map_err(|error| error.to_string())?;
            let lines = stream::unfold(bytes, |mut bytes| async move {
                let chunk = bytes.recv().await?;
                Some((chunk, bytes))
            });
            Ok(lines.boxed())
        })
    }
}
