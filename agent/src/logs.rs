//! Log streams to the server, each on its own connection: one line per log line, as `CONTAINER TEXT`. A stream ends when its
//! containers have exited or the reader disconnects.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use link::client::Http;
use model::{ContainerId, ContainerName, TaskId};

use crate::docker::{Engine, Lines};
use crate::log_store::LogStore;

/// The logs of one stream.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// The containers that Docker has, with its ids.
    pub(crate) present: Vec<(ContainerName, ContainerId)>,
    /// The task, whose other containers may have logs that were kept.
    pub(crate) task: TaskId,
    /// Only this container.
    pub(crate) only: Option<ContainerName>,
    /// Whether to go on with new lines.
    pub(crate) follow: bool,
    /// How many of the last lines to begin with; None for the whole log.
    pub(crate) tail: Option<usize>,
}

/// Answers a request of the server for logs.
pub(crate) async fn answer(
    engine: Engine,
    store: Arc<LogStore>,
    http: Http,
    id: String,
    wanted: Wanted,
) {
    let asked = wanted.clone();
    let kept = tokio::task::spawn_blocking(move || kept(&store, &asked)).await.unwrap_or_default();
    let body = reqwest::Body::wrap_stream(merged(&engine, wanted, kept));
    let url = format!("{}/streams/{id}", http.base);
    let sent = http.client.post(url).body(body).send().await;
    match sent.and_then(reqwest::Response::error_for_status) {
        Ok(_) => {}
        // The server closes the connection when its reader has disconnected.
        Err(error) => tracing::debug!("a log was cut off: {}", error.without_url()),
    }
}

/// The lines that were kept of containers that Docker has no more.
fn kept(store: &LogStore, wanted: &Wanted) -> Vec<Bytes> {
    let is_present = |name: &ContainerName| wanted.present.iter().any(|(known, _)| known == name);
    let is_wanted = |name: &ContainerName| wanted.only.as_ref().is_none_or(|only| only == name);
    let names = store.containers(wanted.task).into_iter();
    let names = names.filter(|name| is_wanted(name) && !is_present(name));
    let text = |name: ContainerName| {
        let text = store.read(wanted.task, &name)?;
        let skipped = wanted.tail.map_or(0, |tail| text.lines().count().saturating_sub(tail));
        let lines = text.lines().skip(skipped).flat_map(|line| [name.as_str(), " ", line, "\n"]);
        Some(Bytes::from(lines.collect::<String>()))
    };
    names.filter_map(text).collect()
}

fn merged(
    engine: &Engine,
    wanted: Wanted,
    kept: Vec<Bytes>,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let Wanted { present, follow, tail, .. } = wanted;
    let logs: Vec<BoxStream<'static, Bytes>> = present
        .into_iter()
        .map(|(name, id)| lines(name, engine.log(&id, follow, tail).boxed()).boxed())
        .collect();
    let live = if follow {
        stream::select_all(logs).boxed()
    } else {
        // One after the other, so that lines of a container stay together.
        stream::iter(logs).flatten().boxed()
    };
    stream::iter(kept).chain(live).map(Ok)
}

type Output = Result<bollard::container::LogOutput, crate::error::DockerError>;

fn lines(name: ContainerName, log: BoxStream<'static, Output>) -> impl Stream<Item = Bytes> {
    let state = (Some(log), Lines::default(), name);
    stream::unfold(state, |(log, mut lines, name)| async move {
        let mut log = log?;
        let (completed, log) = match log.next().await {
            Some(Ok(output)) => (lines.take(output), Some(log)),
            Some(Err(error)) => {
                tracing::debug!("the log of container `{name}` broke off: {error}");
                (lines.rest(), None)
            }
            None => (lines.rest(), None),
        };
        let text = completed.iter().flat_map(|line| [name.as_str(), " ", line, "\n"]);
        let text: String = text.collect();
        Some((Bytes::from(text), (log, lines, name)))
    })
    .filter(|bytes| std::future::ready(!bytes.is_empty()))
}
