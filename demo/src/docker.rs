//! The real `docker` command, with a configuration directory of the demo's own.

use std::path::PathBuf;
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// The `docker` command.
#[derive(Debug, Clone)]
pub(crate) struct Docker {
    config: PathBuf,
}

/// Why a `docker` command did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DockerError {
    /// There is no such command.
    #[error(
        "the `docker` command cannot be run: {0}; install it (Debian: `apt install docker.io`)"
    )]
    NoCommand(#[source] std::io::Error),
    /// It ended with an error.
    #[error("`docker {command}` failed: {message}")]
    Failed {
        /// Its arguments.
        command: String,
        /// What it wrote to stderr.
        message: String,
    },
}

impl Docker {
    /// With its own configuration directory, so that nobody's logins are touched.
    pub(crate) fn new(config: PathBuf) -> Self {
        Self { config }
    }

    /// What the command prints.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String, DockerError> {
        self.run_with_input(arguments, &[]).await
    }

    /// What the command prints when it reads `input`.
    pub(crate) async fn run_with_input(
        &self,
        arguments: &[&str],
        input: &[u8],
    ) -> Result<String, DockerError> {
        let mut child = Command::new("docker")
            .args(arguments)
            .env("DOCKER_CONFIG", &self.config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(DockerError::NoCommand)?;
        let stdin = child.stdin.take();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // A command that ends without reading all has said why on stderr.
                stdin.write_all(input).await.ok();
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output.map_err(DockerError::NoCommand)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(DockerError::Failed {
            command: arguments.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}
