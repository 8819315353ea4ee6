//! `berth deploy`: from an image in the registry to a URL that answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{field, items};
use super::{Failure, Outcome, wait};

/// What its help says last.
pub(crate) const EXPLANATION: &str = "\
Without --port it is the image's EXPOSE, without --host NAME.localhost, and a task is healthy when a GET of / answers \
200 to 399; what is inferred is shown. Deploying again changes what is given and leaves the rest.";

/// What `berth deploy` is asked for.
#[derive(Debug, clap::Args)]
pub struct Deploy {
    /// The service; its image is the repository of that name, tag `latest`.
    name: String,
    /// Another image of the registry, as in `team/hello:v2`.
    #[arg(long)]
    image: Option<String>,
    /// A registered task definition instead of an image: `family:revision`, or `family` for the newest.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["image", "env", "cpu", "memory", "command"])]
    task_definition: Option<String>,
    /// How many tasks.
    #[arg(
        long,
        visible_alias = "desired-count",
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    replicas: Option<u32>,
    /// The port that the container listens on.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The host that it answers for.
    #[arg(long)]
    host: Option<String>,
    /// The path that it answers for: itself and everything below it.
    #[arg(long)]
    path: Option<String>,
    /// The path of its health check.
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    /// Check health by a TCP connection alone.
    #[arg(long, conflicts_with = "health_path")]
    health_tcp: bool,
    /// An environment variable, as NAME=VALUE; may be repeated, and those that are not named stay.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// CPU units per task; 1024 is one core.
    #[arg(long, value_name = "UNITS")]
    cpu: Option<u64>,
    /// Memory per task.
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// The cluster.
    #[arg(long, default_value = "default")]
    cluster: String,
    /// Do not wait until it answers.
    #[arg(long)]
    detach: bool,
    /// How long to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// The command to run instead of the image's.
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(deploy: Deploy, client: &Client, format: Format) -> Outcome {
    let body = body(&deploy)?;
    let answer: Value = client.post("/api/v1/deploy", &body).await?;
    for value in items(&answer["inferred"]) {
        let (name, origin) = (field(value, "name"), field(value, "origin"));
        output::note(&format!("  {name:<16} {}  ({origin})", field(value, "value")));
    }
    if !deploy.detach {
        wait_for(&deploy, &answer, client).await?;
        tasks(&deploy, client).await?;
    }
    match format {
        Format::Json => output::json(&answer),
        Format::Table if answer["url"].is_null() => {
            output::note(&format!("service {} takes no traffic: it maps no port", deploy.name));
        }
        Format::Table => output::line(&field(&answer, "url")),
    }
    Ok(Exit::Success)
}

/// Waits for the deployment that was started, or for the one under way where nothing had to be started.
async fn wait_for(deploy: &Deploy, answer: &Value, client: &Client) -> Outcome {
    let wanted = if let Some(started) = answer["deploymentId"].as_str() {
        started.to_owned()
    } else {
        let path = wait::service_path(&deploy.name, &deploy.cluster);
        field(wait::primary(&client.get(&path).await?), "id")
    };
    let timeout = Duration::from_secs(deploy.timeout);
    wait::rollout(client, &deploy.name, &deploy.cluster, &wanted, timeout).await
}

fn body(deploy: &Deploy) -> Result<Value, Failure> {
    let mut environment = Vec::new();
    for variable in &deploy.env {
        let (name, value) = variable.split_once('=').ok_or_else(|| {
            let message = format!("--env `{variable}` is not NAME=VALUE");
            Failure::new(Exit::Usage, message)
        })?;
        environment.push(json!({"name": name, "value": value}));
    }
    let mut body = json!({"name": deploy.name, "clusterName": deploy.cluster});
    let mut set = |key: &str, value: Value| {
        if !value.is_null() {
            body[key] = value;
        }
    };
    set("image", json!(deploy.image));
    set("taskDefinition", json!(deploy.task_definition));
    set("desiredCount", json!(deploy.replicas));
    set("port", json!(deploy.port));
    set("host", json!(deploy.host));
    set("path", json!(deploy.path));
    set("healthPath", json!(deploy.health_path));
    set("healthProtocol", if deploy.health_tcp { json!("TCP") } else { Value::Null });
    set("environment", if environment.is_empty() { Value::Null } else { json!(environment) });
    set("cpu", json!(deploy.cpu));
    set("memory", json!(deploy.memory));
    set("command", if deploy.command.is_empty() { Value::Null } else { json!(deploy.command) });
    Ok(body)
}

/// Shows each task that runs now.
async fn tasks(deploy: &Deploy, client: &Client) -> Result<(), Failure> {
    let query = super::text::query(&[
        ("serviceName", Some(deploy.name.clone())),
        ("cluster", Some(deploy.cluster.clone())),
    ]);
    let answer: Value = client.list(&format!("/api/v1/tasks{query}")).await?;
    for task in items(&answer["items"]).iter().filter(|task| task["lastStatus"] == "RUNNING") {
        output::note(&format!(
            "  task {}  {}  {} on {}",
            field(task, "taskId"),
            field(task, "lastStatus"),
            field(task, "address"),
            field(task, "instanceName"),
        ));
    }
    Ok(())
}
