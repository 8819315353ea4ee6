//! `berth task`.

use api::client::{Client, all};
use api::{
    Container, ListTasksQuery, LogsQuery, RunTaskRequest, StopTaskRequest, Task,
    TaskDefinitionReference,
};
use clap::Subcommand;
use model::{
    ClusterName, ContainerName, ContainerOverride, DesiredStatus, IdPrefix, Overrides, ServiceName,
};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{list, or_dash, short_image, text, time, word};

/// What can be asked of tasks.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List tasks.
    Ls {
        /// Only those of this service.
        #[arg(long)]
        service: Option<ServiceName>,
        /// Those that have stopped instead, as far as they are remembered.
        #[arg(long)]
        stopped: bool,
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: ClusterName,
    },
    /// Show one task, also after it has stopped.
    Show {
        /// Its id, or the first digits of it.
        task: IdPrefix,
    },
    /// Run a task definition without a service.
    Run {
        /// `family:revision`, or `family` for the newest.
        task_definition: TaskDefinitionReference,
        /// How many; 10 at most.
        #[arg(long, default_value_t = 1)]
        count: u32,
        /// The container whose command is replaced; needed where there are several.
        #[arg(long)]
        container: Option<ContainerName>,
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: ClusterName,
        /// The command to run instead.
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Stop a task.
    Stop {
        /// Its id, or the first digits of it.
        task: IdPrefix,
        /// Why, for the record.
        #[arg(long)]
        reason: Option<String>,
    },
    /// Print a task's log; after its end, its last MiB, which is kept for a week.
    Logs {
        /// Its id, or the first digits of it.
        task: IdPrefix,
        /// Go on as lines come.
        #[arg(long, short)]
        follow: bool,
        /// Begin with this many of the last lines.
        #[arg(long, short = 'n', value_name = "LINES")]
        tail: Option<u32>,
        /// Only this container.
        #[arg(long)]
        container: Option<ContainerName>,
    },
}

const HEADER: [&str; 6] = ["TASK", "SERVICE", "DEFINITION", "STATUS", "HEALTH", "INSTANCE"];

fn row(task: &Task) -> Vec<String> {
    let mut row = short_row(task);
    row.insert(1, or_dash(task.service_name.as_ref()));
    row
}

/// A row of a list of one service.
fn short_row(task: &Task) -> Vec<String> {
    vec![
        task.task_id.to_string(),
        task.task_definition.to_string(),
        word(&task.last_status),
        word(&task.health_status),
        or_dash(task.instance_name.as_ref()),
    ]
}

/// A row of those that have stopped, with why.
fn stopped_row(task: &Task) -> Vec<String> {
    vec![
        task.task_id.to_string(),
        or_dash(task.service_name.as_ref()),
        task.task_definition.to_string(),
        or_dash(task.stopped_reason.as_ref()),
    ]
}

/// Prints the tasks of one service, and below them why some are not healthy.
pub(crate) fn list_of_service(tasks: &[Task]) {
    let header = ["TASK", "DEFINITION", "STATUS", "HEALTH", "INSTANCE"];
    output::line(&output::table(&header, tasks.iter().map(short_row).collect()));
    for task in tasks {
        if let Some(reason) = &task.health_reason {
            output::line(&format!("\n{}", sentence::not_healthy(task.task_id, reason)));
        }
    }
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls { service, stopped, cluster } => {
            let status = if stopped { DesiredStatus::Stopped } else { DesiredStatus::Running };
            let query = ListTasksQuery {
                service_name: service,
                desired_status: status,
                ..ListTasksQuery::of_cluster(cluster)
            };
            let tasks = all(query, async |query| client.list_tasks(query).await).await?;
            if stopped {
                let header = ["TASK", "SERVICE", "DEFINITION", "REASON"];
                output::list(format, tasks, &header, stopped_row);
            } else {
                output::list(format, tasks, &HEADER, row);
            }
        }
        Command::Show { task } => show(&client.get_task(&task).await?, format),
        Command::Run { task_definition, count, container, cluster, command } => {
            let overrides = overrides(&task_definition, container, command, client).await?;
            let request = RunTaskRequest {
                task_definition,
                count,
                cluster_name: cluster,
                overrides,
                started_by: None,
            };
            let answer = client.run_task(&request, None).await?;
            output::data(format, &answer, &HEADER, answer.tasks.iter().map(row).collect());
        }
        Command::Stop { task, reason } => {
            let task = client.stop_task(&task, &StopTaskRequest { reason }).await?;
            output::data(format, &task, &HEADER, vec![row(&task)]);
        }
        Command::Logs { task, follow, tail, container } => {
            logs(&task, &LogsQuery { follow, tail, container }, client).await?;
        }
    }
    Ok(Exit::Success)
}

/// What a command to run instead changes in the definition.
async fn overrides(
    definition: &TaskDefinitionReference,
    container: Option<ContainerName>,
    command: Vec<String>,
    client: &Client,
) -> Result<Overrides, Failure> {
    if command.is_empty() {
        return Ok(Overrides::default());
    }
    let name = match container {
        Some(name) => name,
        None => only_container(definition, client).await?,
    };
    let changed = ContainerOverride { name, command: Some(command), environment: Vec::new() };
    Ok(Overrides { container_overrides: vec![changed] })
}

async fn only_container(
    definition: &TaskDefinitionReference,
    client: &Client,
) -> Result<ContainerName, Failure> {
    let known = client.get_task_definition(definition).await?.definition;
    match known.container_definitions.as_slice() {
        [only] => Ok(only.name.clone()),
        several => {
            let names = list(several.iter().map(|container| &container.name));
            Err(Failure::Other(Exit::Usage, sentence::which_container(&names)))
        }
    }
}

/// A task in full: what it is, why it stopped, and each container with its last log lines.
fn show(task: &Task, format: Format) {
    if format == Format::Json {
        return output::json(task);
    }
    output::pairs(&facts(task));
    let header = ["CONTAINER", "IMAGE", "PORTS", "EXIT CODE", "RESTARTS", "REASON"];
    let rows = task.containers.iter().map(container_row).collect();
    output::line(&format!("\n{}", output::table(&header, rows)));
    for container in task.containers.iter().filter(|one| !one.log_tail.is_empty()) {
        output::line(&format!("\n{}", sentence::last_log_lines(&container.name)));
        for line in &container.log_tail {
            output::line(&format!("  {line}"));
        }
    }
}

/// Names and values of what is known of a task.
fn facts(task: &Task) -> Vec<(&'static str, String)> {
    let known = [
        ("task", Some(task.task_id.to_string())),
        ("task definition", Some(task.task_definition.to_string())),
        ("group", Some(task.group.clone())),
        ("started by", Some(text(&task.started_by))),
        ("instance", task.instance_name.clone()),
        ("address", task.address.map(|address| address.to_string())),
        ("status", Some(word(&task.last_status))),
        ("desired status", Some(word(&task.desired_status))),
        ("health", Some(word(&task.health_status))),
        ("not healthy", task.health_reason.clone()),
        ("stop code", task.stop_code.as_ref().map(word)),
        ("stopped reason", task.stopped_reason.clone()),
        ("created", Some(time(task.created_at))),
        ("started", task.started_at.map(time)),
        ("stopped", task.stopped_at.map(time)),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn container_row(container: &Container) -> Vec<String> {
    let ports = container.network_bindings.iter();
    let ports = ports.map(|port| format!("{}->{}", port.host_port, port.container_port));
    vec![
        container.name.to_string(),
        short_image(&container.image),
        list(ports),
        or_dash(container.exit_code),
        container.restarts.to_string(),
        or_dash(container.reason.as_ref()),
    ]
}

async fn logs(task: &IdPrefix, query: &LogsQuery, client: &Client) -> Result<(), Failure> {
    let mut logs = client.logs(task, query).await?;
    while let Some(bytes) = logs
        .next()
        .await
        .map_err(|error| Failure::Other(Exit::Failure, sentence::log_cut_off(&error)))?
    {
        if !output::raw(bytes.as_ref()) {
            return Ok(());
        }
    }
    Ok(())
}
