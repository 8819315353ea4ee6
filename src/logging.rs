//! Log lines on stderr: `berth up` points it at a file per role, systemd at the journal.

use std::io::IsTerminal as _;

use config::{Log, LogFormat};
use tracing_subscriber::EnvFilter;

/// Starts logging as the configuration says.
pub(crate) fn start(log: &Log, color: bool) {
    let lines = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::builder().parse_lossy(&log.level));
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => lines.with_ansi(color && std::io::stderr().is_terminal()).init(),
    }
}

/// Starts logging where there is no configuration.
pub(crate) fn plain() {
    start(&Log { format: LogFormat::Text, level: "info".to_owned() }, false);
}
