//! `berth task`.

use clap::Subcommand;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, field, items, query, short_image, text, time};
use super::{Failure, Outcome};

/// What can be asked of tasks.
#[derive(Debug, Subcommand)]
pub enum Command {
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
        #[arg(long, short = 'n', value_name = "LINES")]
        tail: Option<u32>,
        /// Only this container.
        #[arg(long)]
        container: Option<String>,
    },
}

const HEADER: [&str; 6] = ["TASK", "SERVICE", "DEFINITION", "STATUS", "HEALTH", "INSTANCE"];

fn rows(list: &Value) -> Vec<Vec<String>> {
    let fields =
        ["taskId", "serviceName", "taskDefinition", "lastStatus", "healthStatus", "instanceName"];
    super::text::rows(list, &fields)
}

/// Prints those that have stopped, with why.
fn list_stopped(list: &Value) {
    let rows =
        super::text::rows(list, &["taskId", "serviceName", "taskDefinition", "stoppedReason"]);
    output::line(&output::table(&["TASK", "SERVICE", "DEFINITION", "REASON"], rows));
}

/// Prints the tasks of one service, and below them why some are not healthy.
pub(crate) fn list_of_service(list: &Value) {
    let fields = ["taskId", "taskDefinition", "lastStatus", "healthStatus", "instanceName"];
    let header = ["TASK", "DEFINITION", "STATUS", "HEALTH", "INSTANCE"];
    output::line(&output::table(&header, super::text::rows(list, &fields)));
    for task in items(list) {
        if let Some(reason) = task["healthReason"].as_str() {
            output::line(&format!("\ntask {} is not healthy: {reason}", field(task, "taskId")));
        }
    }
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
            let answer: Value = client.list(&format!("/api/v1/tasks{query}")).await?;
            match format {
                Format::Json => output::json(&answer),
                Format::Table if stopped => list_stopped(&answer["items"]),
                Format::Table => output::line(&output::table(&HEADER, rows(&answer["items"]))),
            }
        }
        Command::Show { task } => {
            let answer = client.get(&format!("/api/v1/tasks/{}", escape(&task))).await?;
            show(&answer, format);
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
            let answer: Value =
                client.post(&format!("/api/v1/tasks/{}/stop", escape(&task)), &body).await?;
            output::data(format, &answer, &HEADER, rows(&json!([answer])));
        }
        Command::Logs { task, follow, tail, container } => {
            let query = query(&[
                ("follow", follow.then(|| "true".to_owned())),
                ("tail", tail.map(|lines| lines.to_string())),
                ("container", container),
            ]);
            logs(client, &format!("/api/v1/tasks/{}/logs{query}", escape(&task))).await?;
        }
    }
    Ok(Exit::Success)
}

async fn only_container(task_definition: &str, client: &Client) -> Result<String, Failure> {
    let path = format!("/api/v1/task-definitions/{}", escape(task_definition));
    let definition: Value = client.get(&path).await?;
    match items(&definition["containerDefinitions"]) {
        [only] => Ok(field(only, "name")),
        several => {
            let names: Vec<String> = several.iter().map(|one| field(one, "name")).collect();
            let names = names.join(", ");
            let message = format!("which container gets the command? Say --container: {names}");
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

/// A task in full: what it is, why it stopped, and each container with its last log lines.
fn show(task: &Value, format: Format) {
    if format == Format::Json {
        return output::json(task);
    }
    let fields = [
        ("task", "taskId"),
        ("task definition", "taskDefinition"),
        ("group", "group"),
        ("started by", "startedBy"),
        ("instance", "instanceName"),
        ("address", "address"),
        ("status", "lastStatus"),
        ("desired status", "desiredStatus"),
        ("health", "healthStatus"),
        ("not healthy", "healthReason"),
        ("stop code", "stopCode"),
        ("stopped reason", "stoppedReason"),
        ("created", "createdAt"),
        ("started", "startedAt"),
        ("stopped", "stoppedAt"),
    ];
    let said = |(_, key): &(&str, &str)| !task[*key].is_null();
    let fields = fields.into_iter().filter(said).map(|(name, key)| (name, time(task, key)));
    output::pairs(&fields.collect::<Vec<_>>());
    let header = ["CONTAINER", "IMAGE", "PORTS", "EXIT CODE", "RESTARTS", "REASON"];
    let containers = items(&task["containers"]);
    let row = |container: &Value| {
        let ports = items(&container["networkBindings"])
            .iter()
            .map(|port| format!("{}->{}", field(port, "hostPort"), field(port, "containerPort")));
        vec![
            field(container, "name"),
            short_image(&field(container, "image")),
            text(&ports.collect::<Vec<_>>().join(", ").into()),
            field(container, "exitCode"),
            field(container, "restarts"),
            field(container, "reason"),
        ]
    };
    let rows = containers.iter().map(row).collect();
    output::line(&format!("\n{}", output::table(&header, rows)));
    for container in containers.iter().filter(|one| !items(&one["logTail"]).is_empty()) {
        output::line(&format!("\nlast log lines of container {}:", field(container, "name")));
        for line in items(&container["logTail"]) {
            output::line(&format!("  {}", text(line)));
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
