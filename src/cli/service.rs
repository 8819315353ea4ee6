//! `berth service`.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format, Progress};
use super::text::{escape, field, items, query};
use super::wait::{self, primary, service_path};
use super::{Failure, Outcome};

/// What can be asked of services.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List services.
    Ls {
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Show one service: its deployments, tasks and last events.
    Show(Named),
    /// Change how many tasks it keeps.
    Scale {
        #[command(flatten)]
        named: Named,
        /// How many.
        count: u32,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Roll out another revision, or other settings.
    Update {
        #[command(flatten)]
        named: Named,
        /// `family:revision`, or `family` for the newest.
        #[arg(long)]
        task_definition: Option<String>,
        /// How many tasks it keeps.
        #[arg(long)]
        desired_count: Option<u32>,
        /// At least this many percent stay healthy while it rolls.
        #[arg(long)]
        minimum_healthy_percent: Option<u32>,
        /// At most this many percent run while it rolls.
        #[arg(long)]
        maximum_percent: Option<u32>,
        /// Whether pushes roll out by themselves.
        #[arg(long)]
        follow_tags: Option<bool>,
        /// Replace all tasks though nothing changed.
        #[arg(long)]
        force_new_deployment: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Go back to the deployment that completed before.
    Rollback {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Remove it: its tasks are stopped; returns when no container is left.
    Rm {
        #[command(flatten)]
        named: Named,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// What happened to it, newest first.
    Events {
        #[command(flatten)]
        named: Named,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

/// A service by name.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// The service.
    name: String,
    /// Its cluster.
    #[arg(long, default_value = "default")]
    cluster: String,
}

/// Whether to wait.
#[derive(Debug, clap::Args)]
pub(crate) struct Waiting {
    /// Do not wait until it is done.
    #[arg(long)]
    detach: bool,
    /// How long to wait, in seconds.
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 8] =
    ["SERVICE", "STATUS", "DESIRED", "RUNNING", "PENDING", "TASK DEFINITION", "ROLLOUT", "URL"];

/// Rows of the list.
pub(crate) fn rows(list: &Value) -> Vec<Vec<String>> {
    let row = |service: &Value| {
        let mut row: Vec<String> = [
            "serviceName",
            "status",
            "desiredCount",
            "runningCount",
            "pendingCount",
            "taskDefinition",
        ]
        .map(|key| field(service, key))
        .to_vec();
        row.push(field(primary(service), "rolloutState"));
        row.push(field(service, "url"));
        row
    };
    items(list).iter().map(row).collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls { cluster } => {
            let query = query(&[("cluster", Some(cluster))]);
            let answer: Value = client.get(&format!("/api/v1/services{query}")).await?;
            output::data(format, &answer, &HEADER, rows(&answer["services"]));
            Ok(Exit::Success)
        }
        Command::Show(named) => show(&named, client, format).await,
        Command::Scale { named, count, waiting } => {
            let change = json!({"desiredCount": count});
            update(&named, &change, &waiting, client, format).await
        }
        Command::Update {
            named,
            task_definition,
            desired_count,
            minimum_healthy_percent,
            maximum_percent,
            follow_tags,
            force_new_deployment,
            waiting,
        } => {
            let mut change = json!({});
            if let Some(definition) = task_definition {
                change["taskDefinition"] = json!(definition);
            }
            if let Some(count) = desired_count {
                change["desiredCount"] = json!(count);
            }
            if let Some(follow) = follow_tags {
                change["followTags"] = json!(follow);
            }
            if force_new_deployment {
                change["forceNewDeployment"] = json!(true);
            }
            let bounds = [
                ("minimumHealthyPercent", minimum_healthy_percent),
                ("maximumPercent", maximum_percent),
            ];
            percentages(&named, &bounds, &mut change, client).await?;
            update(&named, &change, &waiting, client, format).await
        }
        Command::Rollback { named, waiting } => rollback(&named, &waiting, client, format).await,
        Command::Rm { named, yes, waiting } => remove(&named, yes, &waiting, client).await,
        Command::Events { named, limit } => {
            let query =
                query(&[("cluster", Some(named.cluster)), ("limit", Some(limit.to_string()))]);
            let path = format!("/api/v1/services/{}/events{query}", escape(&named.name));
            let answer: Value = client.get(&path).await?;
            let rows = super::text::rows(&answer["events"], &["createdAt", "message"]);
            output::data(format, &answer, &["AT", "EVENT"], rows);
            Ok(Exit::Success)
        }
    }
}

/// Percentages are one setting with the breaker: what is not given stays as it is.
async fn percentages(
    named: &Named,
    bounds: &[(&str, Option<u32>)],
    change: &mut Value,
    client: &Client,
) -> Result<(), Failure> {
    if bounds.iter().all(|(_, percent)| percent.is_none()) {
        return Ok(());
    }
    let service: Value = client.get(&service_path(&named.name, &named.cluster)).await?;
    let mut configuration = service["deploymentConfiguration"].clone();
    for (key, percent) in bounds {
        if let Some(percent) = percent {
            configuration[*key] = json!(percent);
        }
    }
    change["deploymentConfiguration"] = configuration;
    Ok(())
}

async fn show(named: &Named, client: &Client, format: Format) -> Outcome {
    let service: Value = client.get(&service_path(&named.name, &named.cluster)).await?;
    if format == Format::Json {
        output::json(&service);
        return Ok(Exit::Success);
    }
    output::line(&output::table(&HEADER, rows(&json!([service]))).to_string());
    if let Some(reason) = service["placementFailure"].as_str() {
        output::line(&format!("\nnot placed: {reason}"));
    }
    let header = ["DEPLOYMENT", "STATUS", "ROLLOUT", "RUNNING", "PENDING", "FAILED", "IMAGES"];
    let deployments = items(&service["deployments"]).iter().map(|deployment| {
        let mut row: Vec<String> =
            ["id", "status", "rolloutState", "runningCount", "pendingCount", "failedTasks"]
                .map(|key| field(deployment, key))
                .to_vec();
        row.push(images(&deployment["images"]));
        row
    });
    output::line(&format!("\n{}", output::table(&header, deployments.collect())));
    let query = query(&[
        ("serviceName", Some(named.name.clone())),
        ("cluster", Some(named.cluster.clone())),
    ]);
    let tasks: Value = client.get(&format!("/api/v1/tasks{query}")).await?;
    let tasks = super::task::rows(&tasks["tasks"]);
    output::line(&format!("\n{}", output::table(&super::task::HEADER, tasks)));
    let events = items(&service["events"]);
    let events: Vec<Vec<String>> = events
        .iter()
        .take(10)
        .map(|event| vec![field(event, "createdAt"), field(event, "message")])
        .collect();
    output::line(&format!("\n{}", output::table(&["AT", "EVENT"], events)));
    Ok(Exit::Success)
}

/// `repository@sha256:0123...` of each container.
fn images(images: &Value) -> String {
    let Some(images) = images.as_object() else { return "-".to_owned() };
    let short = images.values().filter_map(Value::as_str).map(super::text::short_image);
    short.collect::<Vec<_>>().join(", ")
}

async fn update(
    named: &Named,
    change: &Value,
    waiting: &Waiting,
    client: &Client,
    format: Format,
) -> Outcome {
    let service: Value = client.patch(&service_path(&named.name, &named.cluster), change).await?;
    wait_and_show(named, &service, waiting, client, format).await
}

async fn rollback(named: &Named, waiting: &Waiting, client: &Client, format: Format) -> Outcome {
    let query = query(&[("cluster", Some(named.cluster.clone()))]);
    let path = format!("/api/v1/services/{}/rollback{query}", escape(&named.name));
    let service: Value = client.post(&path, &json!({})).await?;
    wait_and_show(named, &service, waiting, client, format).await
}

async fn wait_and_show(
    named: &Named,
    service: &Value,
    waiting: &Waiting,
    client: &Client,
    format: Format,
) -> Outcome {
    let mut service = service.clone();
    if !waiting.detach {
        let timeout = Duration::from_secs(waiting.timeout);
        let wanted = field(primary(&service), "id");
        wait::rollout(client, &named.name, &named.cluster, &wanted, timeout).await?;
        service = client.get(&service_path(&named.name, &named.cluster)).await?;
    }
    output::data(format, &service, &HEADER, rows(&json!([service])));
    Ok(Exit::Success)
}

async fn remove(named: &Named, yes: bool, waiting: &Waiting, client: &Client) -> Outcome {
    let name = &named.name;
    if !yes {
        match output::ask(&format!("Remove service {name} and stop its tasks?")) {
            Some(true) => {}
            Some(false) => return Ok(Exit::Failure),
            None => {
                let message = format!(
                    "removing service {name} stops its tasks: say --yes, since there is no terminal to ask on"
                );
                return Err(Failure::new(Exit::Failure, message));
            }
        }
    }
    let path = service_path(name, &named.cluster);
    client.delete::<Value>(&path).await?;
    if waiting.detach {
        output::note(&format!("service {name} is being removed"));
        return Ok(Exit::Success);
    }
    let timeout = Duration::from_secs(waiting.timeout);
    let gone = tokio::time::timeout(timeout, gone(name, &path, client)).await;
    gone.unwrap_or_else(|_late| {
        let message = format!(
            "service {name} is not gone after {} s; it goes once its last container has: `berth task ls --service {name} \
             --stopped` shows which are left",
            waiting.timeout
        );
        Err(Failure::new(Exit::Timeout, message))
    })?;
    output::note(&format!("service {name} is removed"));
    Ok(Exit::Success)
}

/// Waits until the service is gone: it goes with its last container.
async fn gone(name: &str, path: &str, client: &Client) -> Result<(), Failure> {
    let mut progress = Progress::new();
    loop {
        match client.get::<Value>(path).await {
            Ok(_) => progress.say(&format!("{name}: its tasks are being stopped")),
            Err(error) if error.exit() == Exit::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
