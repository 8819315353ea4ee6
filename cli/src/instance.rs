//! `berth instance`.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::Outcome;
use super::client::{CallError, Client};
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, field, items, text, time};

/// What can be asked of instances.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List instances.
    Ls,
    /// Show one instance.
    Show {
        /// Its id or name.
        instance: String,
    },
    /// Take it out of service (draining), or back into it (active).
    Update {
        /// Its id or name.
        instance: String,
        /// What is wished of it.
        #[arg(long, value_enum, ignore_case = true)]
        status: Status,
    },
    /// Give it no new tasks, and replace its service tasks elsewhere.
    Drain {
        /// Its id or name.
        instance: String,
    },
    /// Give it tasks again.
    Activate {
        /// Its id or name.
        instance: String,
    },
    /// Print the line that lets another host join: paste it there.
    JoinToken {
        /// Which role may join with it.
        #[arg(long, value_enum, default_value_t = Role::Agent)]
        role: Role,
        /// How often it may be used, 1000 at most.
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        uses: u32,
        /// How long it is good for, a week at most.
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        expires_in: u32,
        /// The cluster that the instance joins.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Remove an instance that will not come back; what is left of its tasks counts as stopped.
    Rm {
        /// Its id or name.
        instance: String,
    },
}

/// A role that joins.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    Agent,
    Router,
}

/// People's wish for an instance.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Active,
    Draining,
}

/// Columns of the list.
pub(crate) const COLUMNS: [&str; 7] =
    ["INSTANCE", "NAME", "STATUS", "LEASE", "TASKS", "CPU FREE", "MEMORY FREE"];

/// Rows of the list.
pub(crate) fn rows(list: &Value) -> Vec<Vec<String>> {
    let free = |instance: &Value, dimension: &str| {
        let amount = |key: &str| field(&instance[key], dimension).replace('-', "0");
        format!("{}/{}", amount("remainingResources"), amount("registeredResources"))
    };
    let row = |instance: &Value| {
        let tasks = ["runningTasksCount", "pendingTasksCount"];
        let tasks: u64 = tasks.iter().filter_map(|key| instance[*key].as_u64()).sum();
        let mut row =
            ["instanceId", "name", "status", "lease"].map(|key| field(instance, key)).to_vec();
        row.extend([tasks.to_string(), free(instance, "CPU"), free(instance, "MEMORY")]);
        row
    };
    items(list).iter().map(row).collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let answer: Value = client.list("/api/v1/instances").await?;
            output::data(format, &answer, &COLUMNS, rows(&answer["items"]));
        }
        Command::Show { instance } => {
            show(&client.get(&path(&instance)).await?, format);
        }
        Command::Update { instance, status } => {
            update(&instance, status, client, format).await?;
        }
        Command::Drain { instance } => {
            update(&instance, Status::Draining, client, format).await?;
        }
        Command::Activate { instance } => {
            update(&instance, Status::Active, client, format).await?;
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
            if field(&answer, "command").contains(" --server 127.0.0.1:") {
                output::note(
                    "the link listens on this host only; for others, start the server with \
                     BERTH_LINK_LISTEN=0.0.0.0:7071",
                );
            }
        }
        Command::Rm { instance } => {
            let known: Value = client.get(&path(&instance)).await?;
            client.delete::<Value>(&path(&instance)).await?;
            let id = field(&known, "instanceId");
            output::note(&format!("instance {instance} is removed"));
            // Also of tasks that should have stopped, and hold on to what they reserve.
            if known["remainingResources"] != known["registeredResources"] {
                output::note(&format!(
                    "what still runs on its host is left to you: `docker rm -f $(docker ps -aq --filter \
                     label=berth.instance={id})` there removes it"
                ));
            }
        }
    }
    Ok(Exit::Success)
}

fn path(instance: &str) -> String {
    format!("/api/v1/instances/{}", escape(instance))
}

async fn update(
    instance: &str,
    status: Status,
    client: &Client,
    format: Format,
) -> Result<(), CallError> {
    let status = match status {
        Status::Active => "ACTIVE",
        Status::Draining => "DRAINING",
    };
    let answer: Value = client.patch(&path(instance), &json!({"status": status})).await?;
    output::data(format, &answer, &COLUMNS, rows(&json!([answer])));
    Ok(())
}

fn show(instance: &Value, format: Format) {
    if format == Format::Json {
        return output::json(instance);
    }
    let fields = [
        ("instance", "instanceId"),
        ("name", "name"),
        ("cluster", "clusterName"),
        ("status", "status"),
        ("lease", "lease"),
        ("connected", "agentConnected"),
        ("platform", "platform"),
        ("address", "advertisedAddress"),
        ("subnet", "subnet"),
        ("running tasks", "runningTasksCount"),
        ("pending tasks", "pendingTasksCount"),
        ("agent", "agentVersion"),
        ("docker", "dockerVersion"),
        ("joined", "registeredAt"),
    ];
    output::pairs(&fields.map(|(name, key)| (name, time(instance, key))));
    let amounts = |key: &str| instance[key].as_object().cloned().unwrap_or_default();
    let (all, free) = (amounts("registeredResources"), amounts("remainingResources"));
    let row = |(name, amount): (&String, &Value)| {
        vec![name.clone(), text(amount), free.get(name).map_or_else(|| "0".to_owned(), text)]
    };
    let rows = all.iter().map(row).collect();
    output::line(&format!("\n{}", output::table(&["RESOURCE", "REGISTERED", "REMAINING"], rows)));
}
