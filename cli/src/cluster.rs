//! `berth cluster`.

use api::client::{Client, all, some};
use api::{Cluster, ClusterEvent, PageQuery};
use clap::Subcommand;
use model::ClusterName;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::text::{or_dash, time};

/// What can be asked of clusters.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List clusters.
    Ls,
    /// What happened to its services and instances, newest first.
    Events {
        /// The cluster.
        #[arg(default_value = "default")]
        cluster: ClusterName,
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
    },
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
    match command {
        Command::Ls => {
            let clusters =
                all(PageQuery::default(), async |page| client.list_clusters(page).await).await?;
            output::list(format, clusters, &HEADER, row);
        }
        Command::Events { cluster, limit } => {
            let next = async |page: &PageQuery| client.list_cluster_events(&cluster, page).await;
            let events = some(PageQuery::default(), limit, next).await?;
            output::list(format, events, &["AT", "WHAT", "EVENT"], event_row);
        }
    }
    Ok(Exit::Success)
}

fn event_row(event: &ClusterEvent) -> Vec<String> {
    let service = event.service_name.as_ref().map(|name| format!("service/{name}"));
    let instance = event.instance_name.as_ref().map(|name| format!("instance/{name}"));
    vec![time(event.created_at), or_dash(service.or(instance)), event.message.clone()]
}
