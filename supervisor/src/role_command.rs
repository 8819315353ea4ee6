//! How the processes of roles are started: this program again, with the configuration of this one.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use config::{Config, Flags};

use crate::layout::Layout;
use crate::log_file;
use crate::role_kind::RoleKind;

/// What every role of a data directory is started with.
#[derive(Debug)]
pub(crate) struct RoleCommand {
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    /// This program.
    pub(crate) program: PathBuf,
    /// The part of the command line that says the configuration.
    pub(crate) arguments: Vec<String>,
}

impl RoleCommand {
    /// With the configuration of this process.
    pub(crate) fn new(config: &Config, flags: &Flags) -> Self {
        Self {
            config: config.clone(),
            layout: Layout::new(&config.data_dir),
            program: program(),
            arguments: arguments(config, flags),
        }
    }

    /// Where a role's standard streams go: its log file, which it writes itself otherwise. Nowhere, if that cannot be opened.
    pub(crate) fn streams(&self, role: RoleKind) -> (Stdio, Stdio) {
        let file = log_file::open(&self.layout.log(role));
        let both = file.and_then(|file| Ok((file.try_clone()?.into(), file.into())));
        both.unwrap_or_else(|error| {
            tracing::debug!(%error, "the {role} has no log file");
            (Stdio::null(), Stdio::null())
        })
    }
}

/// Whether the process runs the same program file as this one.
pub(crate) fn is_this_program(pid: i32) -> bool {
    let file = |of: &str| {
        let file = std::fs::metadata(format!("/proc/{of}/exe")).ok()?;
        Some((file.dev(), file.ino()))
    };
    file("self").is_some_and(|own| file(&pid.to_string()) == Some(own))
}

fn program() -> PathBuf {
    let own = PathBuf::from("/proc/self/exe");
    // A program that was replaced on disk while it runs still starts roles of its own kind.
    std::env::current_exe().ok().filter(|path| path.exists()).unwrap_or(own)
}

/// Absolute paths: the process may run in another directory.
fn arguments(config: &Config, flags: &Flags) -> Vec<String> {
    let mut arguments = vec!["--data-dir".to_owned(), config.data_dir.display().to_string()];
    if let Some(file) = flags.file.as_ref().and(config.file.as_ref()) {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        arguments.extend(["--config".to_owned(), file.display().to_string()]);
    }
    for (key, value) in &flags.settings {
        // Tokens are not for other users' eyes, and no role needs those of commands.
        if key != "token" && key != "url" && key != "join_token" {
            arguments.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
    }
    arguments
}
