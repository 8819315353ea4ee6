//! `berth instance`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Outcome;
use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{field, items};

/// What can be asked of instances.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List instances.
    Ls,
    /// Show one instance.
    Show {
        /// Its id.
        instance: String,
    },
    /// Print the line that lets another host join: paste it there.
    JoinToken {
        /// Which role may join with it.
        #[arg(long, value_enum, default_value_t = Role::Agent)]
        role: Role,
        /// How often it may be used.
        #[arg(long, default_value_t = 1)]
        uses: u32,
        /// How long it is good for, in seconds.
        #[arg(long, default_value_t = 3600)]
        expires_in: u32,
        /// The cluster that the instance joins.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Remove an instance that will not come back; what is left of its tasks counts as stopped.
    Rm {
        /// Its id.
        instance: String,
    },
}

/// A role that joins.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// An instance's agent.
    Agent,
    /// A router.
    Router,
}

/// Columns of the list.
pub(crate) const COLUMNS: [&str; 8] =
    ["INSTANCE", "NAME", "STATUS", "LEASE", "RUNNING", "PENDING", "CPU FREE", "MEMORY FREE"];

/// Rows of the list.
pub(crate) fn rows(list: &Value) -> Vec<Vec<String>> {
    let free = |instance: &Value, dimension: &str| {
        let amount = |key: &str| field(&instance[key], dimension).replace('-', "0");
        format!("{}/{}", amount("remainingResources"), amount("registeredResources"))
    };
    items(list)
        .iter()
        .map(|instance| {
            let mut row: Vec<String> =
                ["instanceId", "name", "status", "lease", "runningTasksCount", "pendingTasksCount"]
                    .map(|key| field(instance, key))
                    .to_vec();
            row.extend([free(instance, "CPU"), free(instance, "MEMORY")]);
            row
        })
        .collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let answer: Value = client.get("/api/v1/instances").await?;
            output::data(format, &answer, &COLUMNS, rows(&answer["instances"]));
        }
        Command::Show { instance } => {
            let answer: Value = client.get(&format!("/api/v1/instances/{instance}")).await?;
            output::json(&answer);
        }
        Command::JoinToken { role, uses, expires_in, cluster } => {
            let role = match role {
                Role::Agent => "agent",
                Role::Router => "router",
            };
            let body = json!({
                "role": role, "uses": uses, "expiresInSeconds": expires_in, "clusterName": cluster,
            });
            let answer: Value = client.post("/api/v1/join-tokens", &body).await?;
            match format {
                Format::Json => output::json(&answer),
                Format::Table => output::line(&field(&answer, "command")),
            }
        }
        Command::Rm { instance } => {
            client.delete::<Value>(&format!("/api/v1/instances/{instance}")).await?;
            output::note(&format!("instance {instance} is removed"));
        }
    }
    Ok(Exit::Success)
}
