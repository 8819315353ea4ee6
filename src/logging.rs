//! Log lines: a role that `berth up` has started writes its own file, everything else stderr, which systemd takes to the
//! journal. What cannot be written is dropped, whoever reads it.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Mutex;

use config::{Log, LogFormat};
use supervisor::LogFile;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Starts logging to stderr as the configuration says.
pub(crate) fn start(log: &Log, color: bool) {
    start_on(std::io::stderr, log, color && std::io::stderr().is_terminal());
}

/// Starts logging to a file. A panic is written there too.
pub(crate) fn start_in(file: &Path, log: &Log) {
    start_on(Mutex::new(LogFile::new(file, log.format)), log, false);
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!("{panic}\n{}", std::backtrace::Backtrace::capture());
    }));
}

/// Starts logging where there is no configuration.
pub(crate) fn plain() {
    start(&Log { format: LogFormat::Text, level: "info".to_owned() }, false);
}

fn start_on<W>(writer: W, log: &Log, color: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt()
        .with_writer(writer)
        // They would go to stderr by a macro that panics where nobody reads that.
        .log_internal_errors(false)
        .with_env_filter(EnvFilter::builder().parse_lossy(&log.level));
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(color).init(),
    }
}
