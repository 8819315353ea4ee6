//! `berth cluster`.

use clap::Subcommand;
use serde_json::Value;

use super::Outcome;
use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::rows;

/// What can be asked of clusters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List clusters.
    Ls,
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    let Command::Ls = command;
    let answer: Value = client.list("/api/v1/clusters").await?;
    let header = ["CLUSTER", "SERVICES", "RUNNING", "PENDING", "INSTANCES"];
    let fields = [
        "clusterName",
        "activeServicesCount",
        "runningTasksCount",
        "pendingTasksCount",
        "registeredInstancesCount",
    ];
    output::data(format, &answer, &header, rows(&answer["items"], &fields));
    Ok(Exit::Success)
}
