//! `berth task`.

use clap::Subcommand;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{field, items, query};
use super::{Failure, Outcome};

/// What can be asked of tasks.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List tasks.
    Ls {
        /// Only those of this service.
        #[arg(long)]
        service: Option<String>,
        /// Those that have stopped instead, as far as they are remembered.
        #[arg(long)]
        stopped: bool,
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Show one task, also after it has stopped.
    Show {
        /// Its id.
        task: String,
    },
    /// Run a task definition without a service.
    Run {
        /// `family:revision`, or `family` for the newest.
        task_definition: String,
        /// How many; 10 at most.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// The container whose command is replaced; needed where there are several.
        #[arg(long)]
        container: Option<String>,
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: String,
        /// The command to run instead.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Stop a task.
    Stop {
        /// Its id.
        task: String,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Print a task's log; after its end, its last lines.
    Logs {
        /// Its id.
        task: String,
        /// Go on as lines come.
        #[arg(long, short)]
        follow: bool,
        /// Begin with this many of the last lines.
        #[arg(long, short = 'n')]
        tail: Option<u32>,
        /// Only this container.
        #[arg(long)]
        container: Option<String>,
    },
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 7] =
    ["TASK", "TASK DEFINITION", "GROUP", "STATUS", "HEALTH", "INSTANCE", "REASON"];

/// Rows of the list.
pub(crate) fn rows(list: &Value) -> Vec<Vec<String>> {
    let row = |task: &Value| {
        ["taskId", "taskDefinition", "group", "lastStatus", "healthStatus", "instanceName", "stoppedReason"]
            .map(|key| field(task, key))
            .to_vec()
    };
    items(list).iter().map(row).collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls { service, stopped, cluster } => {
            let status = stopped.then(|| "STOPPED".to_owned());
            let query = query(&[
                ("serviceName", service),
                ("desiredStatus", status),
                ("cluster", Some(cluster)),
            ]);
            let answer: Value = client.get(&format!("/api/v1/tasks{query}")).await?;
            output::data(format, &answer, &HEADER, rows(&answer["tasks"]));
        }
        Command::Show { task } => {
            output::json(&client.get::<Value>(&format!("/api/v1/tasks/{task}")).await?);
        }
        Command::Run { task_definition, count, container, cluster, command } => {
            let mut body = json!({
                "taskDefinition": task_definition, "count": count, "clusterName": cluster,
            });
            if !command.is_empty() {
                let name = match container {
                    Some(name) => name,
                    None => only_container(&task_definition, client).await?,
                };
                body["overrides"] =
                    json!({"containerOverrides": [{"name": name, "command": command}]});
            }
            let answer: Value = client.post("/api/v1/tasks", &body).await?;
            output::data(format, &answer, &HEADER, rows(&answer["tasks"]));
        }
        Command::Stop { task, reason } => {
            let body = reason.map_or_else(|| json!({}), |reason| json!({"reason": reason}));
            let answer: Value = client.post(&format!("/api/v1/tasks/{task}/stop"), &body).await?;
            output::data(format, &answer, &HEADER, rows(&json!([answer])));
        }
        Command::Logs { task, follow, tail, container } => {
            let query = query(&[
                ("follow", follow.then(|| "true".to_owned())),
                ("tail", tail.map(|lines| lines.to_string())),
                ("container", container),
            ]);
            logs(client, &format!("/api/v1/tasks/{task}/logs{query}")).await?;
        }
    }
    Ok(Exit::Success)
}

async fn only_container(task_definition: &str, client: &Client) -> Result<String, Failure> {
    let path = format!("/api/v1/task-definitions/{task_definition}");
    let definition: Value = client.get(&path).await?;
    match items(&definition["containerDefinitions"]) {
        [only] => Ok(field(only, "name")),
        several => {
            let names: Vec<String> = several.iter().map(|one| field(one, "name")).collect();
            let names = names.join(", ");
            let message = format!("which container gets the command? Say --container: {names}");
            Err(Failure::new(Exit::Failure, message))
        }
    }
}

async fn logs(client: &Client, path: &str) -> Result<(), Failure> {
    let mut bytes = client.stream(path).await?.bytes_stream();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| {
            Failure::new(Exit::Failure, format!("the log was cut off: {error}"))
        })?;
        if !output::raw(&chunk) {
            return Ok(());
        }
    }
    Ok(())
}
