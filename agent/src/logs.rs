//! Log streams to the server, each on its own connection: one line per log line, as `CONTAINER TEXT`. A stream ends when its
//! containers have exited or the reader disconnects.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use link::client::Http;
use model::{ContainerId, ContainerName};

use crate::docker::{Engine, Lines};

/// The logs of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The containers, and where their logs are.
    pub(crate) sources: Vec<(ContainerName, Source)>,
    /// Whether to go on with new lines.
    pub(crate) follow: bool,
    /// How many of the last lines to begin with; None for the whole log.
    pub(crate) tail: Option<usize>,
}

/// Where the log of a container is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// With Docker, under this id.
    Docker(ContainerId),
    /// What was kept when the container was removed.
    Kept(String),
}

/// Answers a request of the server for logs.
pub(crate) async fn answer(engine: Engine, http: Http, id: String, wanted: Wanted) {
    let body = reqwest::Body::wrap_stream(merged(&engine, wanted));
    let url = format!("{}/streams/{id}", http.base);
    let sent = http.client.post(url).body(body).send().await;
    match sent.and_then(reqwest::Response::error_for_status) {
        Ok(_) => {}
        // The server closes the connection when its reader has disconnected.
        Err(error) => tracing::debug!("a log was cut off: {}", error.without_url()),
    }
}

fn merged(
    engine: &Engine,
    wanted: Wanted,
) -> impl Stream<Item = Result<Bytes, Infallible>> + use<> {
    let Wanted { sources, follow, tail } = wanted;
    let logs: Vec<BoxStream<'static, Bytes>> = sources
        .into_iter()
        .map(|(name, source)| match source {
            Source::Docker(id) => lines(name, engine.log(&id, follow, tail).boxed()).boxed(),
            Source::Kept(text) => kept(&name, &text, tail),
        })
        .collect();
    if follow {
        stream::select_all(logs).map(Ok).boxed()
    } else {
        // One after the other, so that lines of a container stay together.
        stream::iter(logs).flatten().map(Ok).boxed()
    }
}

fn kept(name: &ContainerName, text: &str, tail: Option<usize>) -> BoxStream<'static, Bytes> {
    let skipped = tail.map_or(0, |tail| text.lines().count().saturating_sub(tail));
    let lines = text.lines().skip(skipped).flat_map(|line| [name.as_str(), " ", line, "\n"]);
    stream::iter([Bytes::from(lines.collect::<String>())]).boxed()
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
