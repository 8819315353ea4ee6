//! Logs of containers, as lines.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::{Stream, StreamExt as _};
use model::ContainerId;

use super::{Engine, docker_error};
use crate::error::DockerError;
use crate::log_store::LastLines;
use crate::report::{self, TAIL_LINES};

const READ: Duration = Duration::from_secs(10);
const READ_ALL: Duration = Duration::from_secs(30);
/// Bytes of a line at most; a longer one is cut into several.
const LONGEST: usize = 64 * 1024;

impl Engine {
    /// The last lines of a container's log, as many as a report holds.
    pub(crate) async fn tail(&self, id: &ContainerId) -> Result<Vec<String>, DockerError> {
        let reading = async {
            let mut stream = Box::pin(self.log(id, false, Some(TAIL_LINES)));
            let mut splitter = Lines::default();
            let mut lines = Vec::new();
            while let Some(output) = stream.next().await {
                lines.extend(splitter.take(output?));
            }
            lines.extend(splitter.rest());
            Ok(report::tail(lines))
        };
        match tokio::time::timeout(READ, reading).await {
            Ok(read) => read,
            Err(_) => Err(DockerError::Timeout(READ)),
        }
    }

    /// The end of a container's log, as much as is kept of one.
    pub(crate) async fn last_lines(&self, id: &ContainerId) -> Result<LastLines, DockerError> {
        let reading = async {
            let mut stream = Box::pin(self.log(id, false, None));
            let (mut splitter, mut last) = (Lines::default(), LastLines::default());
            while let Some(output) = stream.next().await {
                splitter.take(output?).into_iter().for_each(|line| last.push(line));
            }
            splitter.rest().into_iter().for_each(|line| last.push(line));
            Ok(last)
        };
        let read = tokio::time::timeout(READ_ALL, reading).await;
        read.unwrap_or(Err(DockerError::Timeout(READ_ALL)))
    }

    /// A container's log from its last `tail` lines, or from its beginning; with `follow` as it grows.
    pub(crate) fn log(
        &self,
        id: &ContainerId,
        follow: bool,
        tail: Option<usize>,
    ) -> impl Stream<Item = Result<LogOutput, DockerError>> + Send + use<> {
        let options = LogsOptions {
            follow,
            stdout: true,
            stderr: true,
            tail: tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..LogsOptions::default()
        };
        self.docker.logs(id.as_str(), Some(options)).map(|output| output.map_err(docker_error))
    }
}

/// Splits a log stream into lines, stdout and stderr apart.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    out: Vec<u8>,
    err: Vec<u8>,
}

impl Lines {
    /// The lines that this chunk completes.
    pub(crate) fn take(&mut self, output: LogOutput) -> Vec<String> {
        let (pending, bytes) = match output {
            LogOutput::StdErr { message } => (&mut self.err, message),
            LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message } => (&mut self.out, message),
        };
        pending.extend_from_slice(&bytes);
        let mut lines = Vec::new();
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            lines.push(text(&line));
        }
        if pending.len() > LONGEST {
            lines.push(text(&std::mem::take(pending)));
        }
        lines
    }

    /// What is left without a line end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        let rest = [std::mem::take(&mut self.out), std::mem::take(&mut self.err)];
        rest.iter().filter(|line| !line.is_empty()).map(|line| text(line)).collect()
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end_matches(['\n', '\r']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out(text: &'static str) -> LogOutput {
        LogOutput::StdOut { message: text.into() }
    }

    #[test]
    fn pieces_become_lines_and_two_streams_do_not_mix() {
        let mut lines = Lines::default();
        assert!(lines.take(out("hel")).is_empty());
        let error = LogOutput::StdErr { message: "oh no\n".into() };
        assert_eq!(lines.take(error), ["oh no"]);
        assert_eq!(lines.take(out("lo\r\nwor")), ["hello"]);
        assert_eq!(lines.take(out("ld\n\nend")), ["world", ""]);
        assert_eq!(lines.rest(), ["end"]);
        assert!(lines.rest().is_empty());
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let mut lines = Lines::default();
        let long = LogOutput::StdOut { message: vec![b'x'; LONGEST + 1].into() };
        assert_eq!(lines.take(long)[0].len(), LONGEST + 1);
        assert!(lines.rest().is_empty());
    }
}
