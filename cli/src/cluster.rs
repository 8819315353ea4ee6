//! `berth cluster`.

use api::client::{Client, all};
use api::{Cluster, PageQuery};
use clap::Subcommand;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};

/// What can be asked of clusters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List clusters.
    Ls,
}

const HEADER: [&str; 5] = ["CLUSTER", "SERVICES", "RUNNING", "PENDING", "INSTANCES"];

fn row(cluster: &Cluster) -> Vec<String> {
    let counts = [
        cluster.active_services_count,
        cluster.running_tasks_count,
        cluster.pending_tasks_count,
        cluster.registered_instances_count,
    ];
    let name = std::iter::once(cluster.cluster_name.to_string());
    name.chain(counts.map(|count| count.to_string())).collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    let Command::Ls = command;
    let clusters = all(PageQuery::default(), async |page| client.list_clusters(page).await).await?;
    output::list(format, clusters, &HEADER, row);
    Ok(Exit::Success)
}
